import Linux
import Testing

@Suite struct CommandLineTests {
    @Test(arguments: [
        ("", []), ("  a  b\tc\n", ["a", "b", "c"]), ("x=\"a b\" y", ["x=a b", "y"]), ("\"x=a b\" y", ["x=a b", "y"]),
        ("a=\"\" b", ["a=", "b"]), ("open=\"never closed", ["open=never closed"]), ("\"\"", [""]),
        ("a -- b c", ["a"]), ("a --b c", ["a", "--b", "c"]), ("--", []),
    ])
    func splitsAsTheKernelDoes(text: String, words: [String]) { #expect(KernelCommandLine(text).words == words) }

    @Test func findsValuesByTheirWholeName() {
        let line = KernelCommandLine("root=/dev/a torpor.devicex=1 torpor.device=UUID=x=y root=/dev/b rootwait Root=c")
        #expect(line.value("root") == "/dev/b")
        #expect(line.values("root") == ["/dev/a", "/dev/b"])
        #expect(line.value("torpor.device") == "UUID=x=y")
        #expect(line.value("rootwait") == nil)
        #expect(line.contains("rootwait"))
        #expect(!line.contains("root"))
    }
}

@Suite struct DeviceNameTests {
    @Test(
        arguments: [
            ("/dev/sda1", .path("/dev/sda1")), ("UUID=ab", .uuid("ab")), ("LABEL=my disk", .label("my disk")),
            ("PARTUUID=1-02", .partitionUUID("1-02")), ("PARTLABEL=x=y", .partitionLabel("x=y")), ("", nil),
            ("sda1", nil),
            ("uuid=ab", nil), ("UUID=", nil), ("ID=x", nil),
        ] as [(String, DeviceName?)])
    func readsNames(text: String, expected: DeviceName?) {
        #expect(DeviceName(text) == expected)
        if let expected { #expect(expected.description == text) }
    }

    @Test func matchesWhatADeviceHolds() {
        var content = BlockDeviceContent()
        content.uuid = "ABCD-12"
        content.label = "Data"
        content.partitionUUID = "0a-01"
        content.partitionLabel = "Part"
        let table: [(DeviceName, Bool)] = [
            (.path("/dev/x"), true), (.path("/dev/y"), false), (.uuid("abcd-12"), true), (.uuid("abcd"), false),
            (.label("Data"), true), (.label("data"), false), (.partitionUUID("0A-01"), true),
            (.partitionLabel("Part"), true),
            (.partitionLabel("Data"), false),
        ]
        for (name, expected) in table { #expect(name.matches(path: "/dev/x", content) == expected, "\(name)") }
        #expect(!DeviceName.uuid("").matches(path: "/dev/x", BlockDeviceContent()))
    }
}
