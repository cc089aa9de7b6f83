// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import Hibernation

@Suite struct RequirementsTests {
    @Test func warnsOfAStartWithoutResume() {
        func warnings(_ commandLine: String) -> Int {
            var findings = Findings()
            warnOfNoResume(KernelCommandLine(commandLine), &findings)
            return findings.all.filter { $0.severity == .warning }.count
        }
        #expect(warnings("root=/dev/sda1 noresume quiet") == 1)
        for other in ["root=/dev/sda1 quiet", "resume=/dev/sda2", "hibernate=noresume", "noresumes"] {
            #expect(warnings(other) == 0, "\(other)")
        }
    }
}
