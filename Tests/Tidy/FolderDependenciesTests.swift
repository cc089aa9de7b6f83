// SPDX-License-Identifier: Apache-2.0
import Testing

@Suite struct FolderDependenciesTests {
    private static let restore = SourceFile(
        "Sources/Hibernation/KernelC/Restore.swift",
        """
        struct Restore { struct Page {} }
        func restoreAll() {}
        private struct Queue {}
        let restoreLimit = 3
        extension Report { func show() {} }
        """)

    @Test(arguments: [
        ("KernelA/Hibernate.swift", "let a = Restore()", ["Restore"]),
        ("KernelB/Save.swift", "restoreAll()\nprint(restoreLimit)", ["restoreAll", "restoreLimit"]),
        ("Handover/Report.swift", "func f(_ restore: Restore) {}", ["Restore"]),
        ("KernelA/Disks/Disks.swift", "Hibernation.restoreAll()", ["restoreAll"]),
        ("KernelA/Disks/Disks.swift", "let a = \"\\(Restore.self)\"", ["Restore"]),
        // Its own folder, the file that chooses the role, and what other files cannot use.
        ("KernelC/Menu.swift", "Restore()", []), ("Init.swift", "Restore()", []),
        ("KernelA/Hibernate.swift", "Queue()", []),
        // Members, labels and names of the file's own.
        ("KernelA/Hibernate.swift", "self.restoreAll(); f(restoreLimit: 1); report.show(); a.Restore.b()", []),
        ("KernelA/Hibernate.swift", "func restoreAll() {}\nrestoreAll()", []),
        ("KernelA/Hibernate.swift", "struct A { struct Restore {}; let all: [Restore] }", []),
        // Comments and texts.
        ("KernelA/Hibernate.swift", "// Restore\nlet a = \"Restore\" /* Restore /* */ Restore */", []),
    ])
    func findsNamesOfOtherRoles(path: String, text: String, names: [String]) {
        let violations = FolderDependencies.violations([
            Self.restore, SourceFile("Sources/Hibernation/\(path)", text),
        ])
        #expect(violations.map { String($0.message.split(separator: " ")[2]) } == names)
    }

    @Test func namesTheLineAndTheRemedy() {
        let file = SourceFile("Sources/Hibernation/KernelA/A.swift", "import Basics\n\nlet a = Restore()\n")
        #expect(
            FolderDependencies.violations([Self.restore, file]).map(\.description) == [
                "Sources/Hibernation/KernelA/A.swift:3: KernelA uses Restore of KernelC, but the roles never name each "
                    + "other: move what both need into a shared folder of Sources/Hibernation/"
            ])
        #expect(FolderDependencies.violations([Self.restore, file], allowed: ["Restore": [file.path]]) == [])
    }

    @Test func theRolesNeverNameEachOther() { expectNone(FolderDependencies.violations(SourceTree.swiftFiles)) }

    @Test func everyRoleIsThere() {
        for role in FolderDependencies.roles {
            #expect(
                SourceTree.paths.contains("Sources/Hibernation/\(role)"), "the rule looks for folders of other names")
        }
    }
}
