// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// Standard error of a service: each line gets its priority in front, as sd-daemon(3) describes.
final class JournalStream: TextStream {
    private let stream: any TextStream

    init(_ stream: any TextStream) { self.stream = stream }

    var failure: Failure? { stream.failure }

    func write(_ text: String) {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        stream.write(lines.map { $0.isEmpty ? "" : "<\(JournalStream.priority($0))>\($0)" }.joined(separator: "\n"))
    }

    private static func priority(_ line: String) -> Int {
        line.hasPrefix("torpor: warning: ") ? 4 : line.hasPrefix("torpor: note: ") ? 5 : 3
    }

    /// Whether a descriptor leads to the journal.
    /// - Parameter variable: JOURNAL_STREAM of systemd.exec(5), the device and inode of that connection.
    static func isJournal(_ descriptor: CInt, _ variable: String?) -> Bool {
        var status = stat()
        guard let variable, fstat(descriptor, &status) == 0 else { return false }
        return variable == "\(status.st_dev):\(status.st_ino)"
    }
}
