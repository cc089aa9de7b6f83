// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Console

@Suite struct ProgressBarTests {
    private func bar(
        _ verb: String = "saving", _ percent: UInt64 = 43, left: UInt64? = 16_000, hint: String = "Esc: give up"
    )
        -> ProgressBar
    {
        let estimate = Progress.Estimate(
            percent: percent, dataBytes: 8_700_000_000, bytesPerSecond: 312 << 20, millisecondsLeft: left)
        return ProgressBar(verb: verb, estimate: estimate, hint: hint)
    }

    @Test(
        arguments: [
            (
                132,
                "saving [" + String(repeating: "#", count: 25) + String(repeating: ".", count: 35)
                    + "]  43 % of 8.1 GiB   312.0 MiB/s   16 s left  Esc: give up"
            ),
            (80, "saving [#####........]  43 % of 8.1 GiB   312.0 MiB/s   16 s left  Esc: give up"),
            (70, "saving [#######..........]  43 % of 8.1 GiB   16 s left  Esc: give up"),
            (50, "saving [###.....]  43 %   16 s left  Esc: give up"),
            (40, "saving [#####.......]  43 %   16 s left"),
            (30, "saving [######........]  43 %"), (20, "saving 43 %"), (8, "saving "), (1, ""), (0, ""),
        ])
    func fitsIntoTheWidth(columns: Int, expected: String) {
        #expect(bar().text(columns: columns) == expected)
    }

    /// The cursor would move into the next row.
    @Test func neverFillsTheLine() {
        for columns in 0...300 {
            for hint in ["", "Esc: stop", "finishing"] {
                for percent in [0, 9, 10, 99, 100] as [UInt64] {
                    for left in [nil, 1, 999_000, .max - 999] as [UInt64?] {
                        let text = bar("restoring", percent, left: left, hint: hint).text(columns: columns)
                        #expect(text.utf8.count < max(1, columns))
                        #expect(text.utf8.allSatisfy { (0x20..<0x7f).contains($0) })
                    }
                }
            }
        }
    }

    /// A bar that changes its length while it fills is hard to read.
    @Test func keepsItsLength() {
        let lengths = (0...100 as ClosedRange<UInt64>).map { percent in
            bar("saving", percent, left: (100 - percent) * 1000).text(columns: 80).prefix { $0 != "]" }.count
        }
        #expect(Set(lengths).count == 1)
        #expect(bar("saving", 0).text(columns: 80).contains("[.............]"))
        #expect(bar("saving", 99).text(columns: 80).contains("[############.]"))
        #expect(bar("saving", 100).text(columns: 80).contains("[#############]"))
    }
}
