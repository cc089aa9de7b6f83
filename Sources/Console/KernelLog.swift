// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// The log of kernels B and C: each line goes to the kernel's log, and appears once on each console.
///
/// A line is one record of /dev/kmsg, `<level>torpor: text`, at most 1,024 bytes with the kernel's prefix
/// (Documentation/ABI/testing/dev-kmsg). Levels are those of syslog(3). If the kernel does not print a level on the consoles,
/// as with `quiet`, the line is written to each console directly, for users who watch a hibernation.
public struct KernelLog: Sendable {
    private let log: CInt
    let consoles: [ConsoleOutput]
    /// The kernel prints lower levels on the consoles (/proc/sys/kernel/printk).
    private let consoleLevel: Int
    /// Whether `debug(_:)` logs: `torpor.debug`.
    public var isDebugging = false

    /// Opens /dev/kmsg and the consoles for the lifetime of the process.
    /// - Parameter showsAll: whether lines that the kernel does not print on the consoles are written there directly.
    public init(showsAll: Bool = true) {
        let levels = (try? readText("/proc/sys/kernel/printk"))?.split { $0 == " " || $0 == "\t" }
        self.init(
            log: torpor_open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY, 0),
            consoles: showsAll ? ConsoleOutput.all(inTable: (try? readText("/proc/consoles")) ?? "") : [],
            consoleLevel: levels?.first.flatMap { parseNumber($0) }.flatMap { Int(exactly: $0) } ?? 0)
    }

    /// - Parameter log: a descriptor for the records; a negative number if there is no log.
    init(log: CInt, consoles: [ConsoleOutput], consoleLevel: Int) {
        self.log = log
        self.consoles = consoles
        self.consoleLevel = consoleLevel
    }

    public func error(_ text: String) { write(3, text) }
    public func notice(_ text: String) { write(5, text) }
    public func info(_ text: String) { write(6, text) }

    /// Logs a detail, only with `torpor.debug`.
    public func debug(_ text: @autoclosure () -> String) { if isDebugging { write(6, text()) } }

    /// Logs a line about progress. Screens do not get it: they show a bar. So its level is one that the kernel does not print
    /// on them either, unless the command line asks for everything.
    func progress(_ text: String) { write(7, text, isForScreens: false) }

    private func write(_ level: Int, _ text: String, isForScreens: Bool = true) {
        // Text from a disk must neither control the terminal nor look like a separate line.
        let line = Array("torpor: \(KernelLog.cut(printable(text)))\n".utf8)
        if log >= 0 {
            let record = Array("<\(level)>".utf8) + line
            _ = record.withUnsafeBytes { CLinux.write(log, $0.baseAddress, $0.count) }
        }
        guard log < 0 || level >= consoleLevel else { return }
        for console in consoles where isForScreens || !console.isScreen {
            console.write(line, within: KernelLog.consoleMilliseconds)
        }
    }

    /// The first 900 bytes of a text at most, cut between characters.
    static func cut(_ text: String) -> String {
        var bytes = Array(text.utf8.prefix(901))
        guard bytes.count > 900 else { return text }
        // Removes the bytes of the character that does not fit, up to and including its first byte.
        while let last = bytes.popLast(), last & 0xc0 == 0x80 {}
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The time in which a serial line at 115,200 bit/s sends the kernel's output buffer.
    private static let consoleMilliseconds: CInt = 500
}
