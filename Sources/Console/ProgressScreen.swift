// SPDX-License-Identifier: Apache-2.0

/// A screen with a bar in its last row. The rows above it scroll without it.
///
/// The kernel and the processes of this one write lines whenever they like. They would run into a bar that stands where the
/// cursor is. So the last row is taken out of the part that scrolls (DECSTBM; drivers/tty/vt/vt.c, Linux 6.12), and the bar is
/// drawn there between saving and restoring the cursor, in one write: the kernel writes nothing of its own in between, as it
/// holds the console's lock. The rows are set again with each bar, because a driver that takes the screen over changes its
/// size.
struct ProgressScreen {
    private let console: ConsoleOutput
    /// The row of the bar, from 1; 0 while there is none.
    private var row = 0

    init(_ console: ConsoleOutput) { self.console = console }

    /// Draws the bar. A screen that is stopped keeps its old one.
    mutating func draw(_ bar: ProgressBar) {
        let size = console.size
        guard size.rows >= ProgressScreen.leastRows else { return clear() }
        if row != size.rows {
            clear()
            // If the cursor is in the last row, the screen scrolls, and the cursor moves up.
            guard console.write(Array("\u{1b}D\u{1b}[A".utf8), within: 0) else { return }
            row = size.rows
        }
        let text = bar.text(columns: size.columns)
        console.write(
            Array("\u{1b}7\u{1b}[1;\(row - 1)r\u{1b}[\(row);1H\u{1b}[m\(text)\u{1b}[K\u{1b}8".utf8), within: 0)
    }

    /// Removes the bar, and lets the whole screen scroll again.
    mutating func clear() {
        guard row > 0 else { return }
        console.write(Array("\u{1b}7\u{1b}[\(row);1H\u{1b}[m\u{1b}[K\u{1b}[r\u{1b}8".utf8), within: 0)
        row = 0
    }

    private static let leastRows = 3
}
