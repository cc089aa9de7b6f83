// SPDX-License-Identifier: Apache-2.0
import Machines
import Testing

extension Machine.Result {
    /// The guest's script came to its end, and nothing that it expected failed.
    func expectDone(_ location: SourceLocation = #_sourceLocation) {
        #expect(verdicts("FAILED") == [], sourceLocation: location)
        #expect(verdict.last == "done", "the script did not come to its end", sourceLocation: location)
    }

    /// The console has a line with this text.
    func expectConsole(_ text: String, _ location: SourceLocation = #_sourceLocation) {
        #expect(console.contains(text), "the console has no line with: \(text)", sourceLocation: location)
    }
}
