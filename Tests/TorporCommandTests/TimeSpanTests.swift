// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import TorporCommand

@Suite struct TimeSpanTests {
    @Test(arguments: [
        ("7", 7000), ("2h", 7_200_000), ("1h 30min", 5_400_000), ("1h30min", 5_400_000), (" 2 h  5 s ", 7_205_000),
        ("1.5h", 5_400_000), ("250ms", 250), ("1500us", 1), ("0", 0), ("1d", 86_400_000), ("2 weeks", 1_209_600_000),
        ("1M", 2_630_016_000), ("1m", 60_000), ("1y", 31_557_600_000), ("3 hr 1 second", 10_801_000),
    ])
    func spans(text: String, milliseconds: UInt64) {
        #expect(TimeSpan(text) == TimeSpan(milliseconds: milliseconds))
    }

    @Test func infinity() { #expect(TimeSpan(" infinity") == TimeSpan(milliseconds: nil)) }

    @Test(arguments: ["", " ", "h", "2x", "-1s", "2h infinity", "1..5h", ".5h", "1e3s", "99999999999999999999y", "١h"])
    func textsThatAreNoSpans(text: String) { #expect(TimeSpan(text) == nil) }
}
