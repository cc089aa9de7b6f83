// SPDX-License-Identifier: Apache-2.0
import Testing

@Suite struct SuitesTests {
    private static let paths: Set<String> = [
        "Sources/Kexec/Stub.swift", "Sources/Hibernation/KernelA/Hibernate.swift", "Tests/Fuzz/Targets/Seeds.swift",
        "Tests/Fixtures/Forgery.swift", "Tests/KexecTests/StubTests.swift",
    ]

    @Test(arguments: [
        ("Tests/KexecTests/StubTests.swift", "@Suite struct StubTests {\n@Test func a() {} }", nil),
        ("Tests/KexecTests/StubTests.swift", "@Suite(.serialized, .enabled(if: a)) final class StubTests {}", nil),
        ("Tests/HibernationTests/HibernateTests.swift", "@Suite struct HibernateTests {}", nil),
        ("Tests/Fuzz/Replay/SeedsTests.swift", "@Suite struct SeedsTests {}", nil),
        ("Tests/KexecTests/ForgeryTests.swift", "@Suite struct ForgeryTests {}", nil),
        ("Tests/VM/Cases/CycleTests.swift", "extension MachineTests { @Suite struct CycleTests {} }", nil),
        ("Tests/KexecTests/Fixture.swift", "struct Fixture {}", nil),
        ("Tests/KexecTests/StubLimitTests.swift", "@Suite struct StubLimitTests {}", nil),
        (
            "Tests/HibernationTests/HibernateLimitTests.swift", "@Suite struct HibernateLimitTests {}",
            "1 there is no source"
        ),
        ("Sources/Kexec/Stub.swift", "@Suite struct A {}", nil),
        (
            "Tests/KexecTests/StubTests.swift", "@Suite struct StubTests {}\n@Suite struct MoreTests {}",
            "2 a file holds one suite"
        ),
        (
            "Tests/KexecTests/StubTests.swift", "\n@Suite struct OtherTests {}",
            "2 OtherTests is not the name of its file"
        ),
        ("Tests/KexecTests/LimitTests.swift", "@Suite struct LimitTests {}", "1 there is no source"),
        // The source of another module.
        ("Tests/LinuxTests/StubTests.swift", "@Suite struct StubTests {}", "1 there is no source"),
        ("Tests/KexecTests/StubTests.swift", "struct StubFixture {}", "1 it holds no suite"),
        ("Tests/KexecTests/StubTests.swift", "// A test.\n@Test func a() {}", "2 a test is in no suite"),
    ])
    func wantsOneSuiteWithTheNameOfASource(path: String, text: String, expected: String?) {
        let found = Suites.violations([SourceFile(path, text)], Self.paths).map { "\($0.line) \($0.message)" }
        #expect(found.count == (expected == nil ? 0 : 1))
        #expect(found.first?.hasPrefix(expected ?? "") ?? true, "\(found)")
    }

    @Test func everyTestFileHoldsTheSuiteOfItsSource() {
        expectNone(Suites.violations(SourceTree.swiftFiles, SourceTree.paths))
    }

    @Test func everyExceptionIsThere() {
        for path in Suites.properties.keys {
            let isThere = SourceTree.paths.contains(path.hasSuffix("/") ? String(path.dropLast()) : path)
            #expect(isThere, "remove \(path) from the list of suites that are about no single source")
        }
    }
}
