// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// What kernels B and C tell: each line goes to the kernel's log, and is seen on the console once.
///
/// One line is one record of /dev/kmsg, `<level>torpor: text`, at most 1,024 bytes with what the kernel adds
/// (Documentation/ABI/testing/dev-kmsg). Levels are those of syslog(3). A level that the kernel keeps from the console,
/// as it does with `quiet`, is written there directly: who waits for a hibernation wants to see it.
public struct KernelLog: Sendable {
    private let log: CInt
    private let console: CInt
    /// Lower levels are shown on the console by the kernel; /proc/sys/kernel/printk.
    private let consoleLevel: Int
    /// Whether details are told too: `torpor.debug`.
    public var isDebugging = false

    /// Opens /dev/kmsg and /dev/console for the life of the process.
    /// - Parameter showsAll: whether the console is to show what the kernel keeps from it.
    public init(showsAll: Bool = true) {
        log = torpor_open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY, 0)
        console = showsAll ? torpor_open("/dev/console", O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0) : -1
        let levels = (try? readText("/proc/sys/kernel/printk"))?.split { $0 == " " || $0 == "\t" }
        consoleLevel = levels?.first.flatMap { parseNumber($0) }.flatMap { Int(exactly: $0) } ?? 0
    }

    public func error(_ text: String) { write(3, text) }
    public func notice(_ text: String) { write(5, text) }
    public func info(_ text: String) { write(6, text) }

    /// A detail, told with `torpor.debug` only.
    public func debug(_ text: @autoclosure () -> String) { if isDebugging { write(6, text()) } }

    private func write(_ level: Int, _ text: String) {
        // What somebody else has written must not steer the terminal, nor look like a line of its own.
        let line = Array("torpor: \(KernelLog.cut(printable(text)))\n".utf8)
        if log >= 0 { put(Array("<\(level)>".utf8) + line, on: log) }
        if console >= 0, log < 0 || level >= consoleLevel, isConsoleReady { put(line, on: console) }
    }

    /// Text of at most 900 bytes, cut between characters.
    static func cut(_ text: String) -> String {
        var bytes = Array(text.utf8.prefix(901))
        guard bytes.count > 900 else { return text }
        // The first byte of the character that does not fit any more, and nothing behind it.
        while let last = bytes.popLast(), last & 0xc0 == 0x80 {}
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Whether the console takes a line now: one that was stopped, with Ctrl-S for example, must not stop PID 1 as well.
    private var isConsoleReady: Bool {
        var request = pollfd(fd: console, events: Int16(POLLOUT), revents: 0)
        return poll(&request, 1, KernelLog.consoleMilliseconds) == 1
    }

    /// As long as a serial line of 115,200 bit/s takes for what the kernel keeps for it.
    private static let consoleMilliseconds: CInt = 500

    private func put(_ bytes: [UInt8], on descriptor: CInt) {
        _ = bytes.withUnsafeBytes { CLinux.write(descriptor, $0.baseAddress, $0.count) }
    }
}
