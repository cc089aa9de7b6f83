// SPDX-License-Identifier: Apache-2.0

/// A bar with percent, rate and time left, in one line of a screen.
///
/// `saving [######..........]  43 % of 8.1 GiB   312.0 MiB/s  16 s left  Esc: give up`
///
/// All characters are ASCII, because a kernel may have a font without others.
struct ProgressBar {
    let verb: String
    let estimate: Progress.Estimate
    /// The last part of the line: what a person can do, or what happens.
    let hint: String

    /// The bar for a width. It is shorter than the width, so that the cursor stays in the line. A narrow screen gets fewer
    /// details.
    func text(columns: Int) -> String {
        let limit = max(0, columns - 1)
        for details in details {
            let ends = "\(verb) [] \(details)".utf8.count
            if ends + ProgressBar.leastCells <= limit {
                return "\(verb) [\(cells(min(ProgressBar.mostCells, limit - ends)))] \(details)"
            }
        }
        return String(decoding: Array("\(verb) \(estimate.percent) %".utf8).prefix(limit), as: UTF8.self)
    }

    private static let leastCells = 8
    private static let mostCells = 60

    private func cells(_ count: Int) -> String {
        let done = Int(min(100, estimate.percent)) * count / 100
        return String(repeating: "#", count: done) + String(repeating: ".", count: count - done)
    }

    /// What follows the bar: all of it first, then less and less. Numbers that change keep their width, so that the bar stands
    /// still.
    private var details: [String] {
        let percent = padded("\(estimate.percent) %", to: 5)
        let left = padded(estimate.timeLeft.map { "\($0) left" } ?? "", to: 10)
        let end = hint.isEmpty ? "" : "  \(hint)"
        return [
            "\(percent) of \(estimate.size)\(padded(estimate.rate, to: 14))  \(left)\(end)",
            "\(percent) of \(estimate.size)  \(left)\(end)",
            "\(percent)  \(left)\(end)",
            "\(percent)  \(left)",
            percent,
        ]
    }

    private func padded(_ text: String, to count: Int) -> String {
        String(repeating: " ", count: max(0, count - text.utf8.count)) + text
    }
}
