import Basics
import CLinux

/// What is told to the kernel's log, and through it to the console, from the first line after start to the last.
///
/// One line is one record of /dev/kmsg, `<level>torpor: text`, at most 1,024 bytes with what the kernel adds
/// (Documentation/ABI/testing/dev-kmsg). Levels are those of syslog(3): errors pass a console that is `quiet`.
public struct KernelLog: Sendable {
    private let descriptor: CInt

    /// Opens /dev/kmsg for the life of the process; where it cannot be opened, lines go to standard error.
    public init() {
        let opened = torpor_open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY, 0)
        descriptor = opened >= 0 ? opened : 2
    }

    public func error(_ text: String) { write(3, text) }
    public func notice(_ text: String) { write(5, text) }
    public func info(_ text: String) { write(6, text) }

    private func write(_ level: Int, _ text: String) {
        var record = Array("<\(level)>torpor: ".utf8)
        record.append(contentsOf: text.utf8.prefix(900))
        record.append(UInt8(ascii: "\n"))
        _ = record.withUnsafeBytes { CLinux.write(descriptor, $0.baseAddress, $0.count) }
    }
}
