// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// The log of kernels B and C: each line goes to the kernel's log and appears on the console once.
///
/// A line is one record of /dev/kmsg, `<level>torpor: text`, at most 1,024 bytes with the kernel's prefix
/// (Documentation/ABI/testing/dev-kmsg). Levels are those of syslog(3). If the kernel does not print a level on the console, as
/// with `quiet`, the line is written to /dev/console directly, for users who watch a hibernation.
public struct KernelLog: Sendable {
    private let log: CInt
    private let console: CInt
    /// The kernel prints lower levels on the console (/proc/sys/kernel/printk).
    private let consoleLevel: Int
    /// Whether `debug(_:)` logs: `torpor.debug`.
    public var isDebugging = false

    /// Opens /dev/kmsg and /dev/console for the lifetime of the process.
    /// - Parameter showsAll: whether lines that the kernel does not print on the console are written there directly.
    public init(showsAll: Bool = true) {
        log = torpor_open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY, 0)
        console = showsAll ? torpor_open("/dev/console", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0) : -1
        let levels = (try? readText("/proc/sys/kernel/printk"))?.split { $0 == " " || $0 == "\t" }
        consoleLevel = levels?.first.flatMap { parseNumber($0) }.flatMap { Int(exactly: $0) } ?? 0
    }

    public func error(_ text: String) { write(3, text) }
    public func notice(_ text: String) { write(5, text) }
    public func info(_ text: String) { write(6, text) }

    /// Logs a detail, only with `torpor.debug`.
    public func debug(_ text: @autoclosure () -> String) { if isDebugging { write(6, text()) } }

    private func write(_ level: Int, _ text: String) {
        // Text from a disk must neither control the terminal nor look like a separate line.
        let line = Array("torpor: \(KernelLog.cut(printable(text)))\n".utf8)
        if log >= 0 { put(Array("<\(level)>".utf8) + line, on: log) }
        if console >= 0, log < 0 || level >= consoleLevel, isConsoleReady { put(line, on: console) }
    }

    /// The first 900 bytes of a text at most, cut between characters.
    static func cut(_ text: String) -> String {
        var bytes = Array(text.utf8.prefix(901))
        guard bytes.count > 900 else { return text }
        // Removes the bytes of the character that does not fit, up to and including its first byte.
        while let last = bytes.popLast(), last & 0xc0 == 0x80 {}
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether the console accepts a line now. A console that was stopped, by Ctrl-S for example, must not block PID 1.
    private var isConsoleReady: Bool {
        var request = pollfd(fd: console, events: Int16(POLLOUT), revents: 0)
        return poll(&request, 1, KernelLog.consoleMilliseconds) == 1
    }

    /// The time in which a serial line at 115,200 bit/s sends the kernel's output buffer.
    private static let consoleMilliseconds: CInt = 500

    private func put(_ bytes: [UInt8], on descriptor: CInt) {
        _ = bytes.withUnsafeBytes { CLinux.write(descriptor, $0.baseAddress, $0.count) }
    }
}
