// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Hibernation

@Suite struct FindingTests {
    @Test func keepsFindingsInOrderAndEachOnce() {
        let reported = Told()
        var findings = Findings { reported.lines.append($0.description) }
        findings.warn("the fan is loud", remedy: "oil it")
        findings.note("N is 128 MiB")
        findings.warn("the fan is loud", remedy: "oil it")
        findings.warn("the fan is loud")
        #expect(findings.all.map { $0.severity } == [.warning, .note, .warning])
        #expect(findings.warnings.map { $0.description } == ["the fan is loud; oil it", "the fan is loud"])
        #expect(findings.notes.map { $0.description } == ["N is 128 MiB"])
        #expect(
            reported.lines == ["the fan is loud; oil it", "N is 128 MiB", "the fan is loud"],
            "reported at once, in order")
    }

    private final class Told { var lines: [String] = [] }
}
