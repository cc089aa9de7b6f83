// SPDX-License-Identifier: Apache-2.0
import Machines
import Testing

extension Machine.Result {
    /// Expects that the guest's script reached its end and that none of its expectations failed.
    func expectDone(_ location: SourceLocation = #_sourceLocation) {
        #expect(verdicts("FAILED") == [], sourceLocation: location)
        #expect(verdict.last == "done", "the script did not reach its end", sourceLocation: location)
    }

    /// Expects a text on the console.
    func expectConsole(_ text: String, _ location: SourceLocation = #_sourceLocation) {
        #expect(console.contains(text), "the console does not contain: \(text)", sourceLocation: location)
    }
}
