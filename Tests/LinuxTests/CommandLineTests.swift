// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@Suite struct CommandLineTests {
    @Test(arguments: [
        ("", []), ("  a  b\tc\n", ["a", "b", "c"]), ("x=\"a b\" y", ["x=a b", "y"]), ("\"x=a b\" y", ["x=a b", "y"]),
        ("a=\"\" b", ["a=", "b"]), ("open=\"never closed", ["open=never closed"]), ("\"\"", [""]),
        ("a -- b c", ["a"]), ("a --b c", ["a", "--b", "c"]), ("--", []),
    ])
    func splitsAsTheKernelDoes(text: String, words: [String]) { #expect(KernelCommandLine(text).parameters == words) }

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
