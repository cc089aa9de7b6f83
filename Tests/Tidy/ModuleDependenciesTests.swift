// SPDX-License-Identifier: Apache-2.0
import Testing

@Suite struct ModuleDependenciesTests {
    private func findings(_ manifest: String) -> [String] {
        ModuleDependencies.violations(SourceFile("Package.swift", manifest)).map {
            "\($0.line) " + $0.message.split(separator: " ").prefix(4).joined(separator: " ")
        }
    }

    @Test(arguments: [
        ("module(\"Basics\", [\"CVersion\"]),\nmodule(\"ELF\", [\"Basics\"]),", []),
        ("module(\"Basics\", [\"Linux\"])", ["1 Basics depends on Linux,"]),
        ("\nmodule(\n    \"ELF\",\n    [\"Basics\", \"Linux\"])", ["2 ELF depends on Linux,"]),
        ("module(\"Kexec\", [\"ELF\", \"PhysicalMemory\"])", ["1 Kexec depends on PhysicalMemory,"]),
        // Through a module between them.
        (
            "module(\"MemoryImage\", [\"BlockStore\"])\nmodule(\"BlockStore\", [\"Disks\"])\n"
                + "module(\"Disks\", [\"BlockDevices\"])",
            ["2 BlockStore depends on BlockDevices,", "1 MemoryImage depends on BlockDevices,"]
        ),
        ("module(\"Hibernation\", [\"Linux\", \"CoreDump\"])", ["1 Hibernation depends on CoreDump,"]),
        ("func module(_ name: String, _ dependencies: [String]) {}", []),
    ])
    func refusesArrowsThatGoTheWrongWay(manifest: String, expected: [String]) {
        #expect(findings(manifest) == expected)
    }

    @Test func theManifestHasNoSuchArrow() throws {
        let manifest = try #require(SourceTree.files.first { $0.path == "Package.swift" })
        let modules = ModuleDependencies.modules(in: manifest.text)
        #expect(modules["Hibernation"]?.dependencies.contains("MemoryImage") == true, "the manifest cannot be read")
        expectNone(ModuleDependencies.violations(manifest))
    }
}
