// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux
import Synchronization

/// A console of the running kernel, to write on. It never blocks this process: what a stopped or dead console does not accept
/// is lost.
final class ConsoleOutput: Sendable {
    let path: String
    /// Whether it is a screen of the machine, which shows a bar in place, and not a line such as a serial port.
    let isScreen: Bool
    private let descriptor: CInt
    /// Whether it did not accept the last text. It gets no time for the next one.
    private let isStalled = Atomic<Bool>(false)

    /// Opens a console; nil if that fails. /proc/consoles also lists consoles that have no device, such as netconsole.
    /// - Parameter isScreen: nil to decide by the name of the device.
    init?(_ path: String, isScreen: Bool? = nil) {
        descriptor = torpor_open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0)
        guard descriptor >= 0 else { return nil }
        self.path = path
        self.isScreen = isScreen ?? isVirtualTerminal(path)
    }

    deinit { close(descriptor) }

    /// The consoles in the text of /proc/consoles that can be opened; /dev/console if there are none.
    static func all(inTable text: String) -> [ConsoleOutput] {
        let consoles = consolePaths(inTable: text).compactMap { ConsoleOutput($0) }
        return consoles.isEmpty ? [ConsoleOutput("/dev/console")].compactMap { $0 } : consoles
    }

    /// Writes bytes if the console accepts them.
    /// - Parameter milliseconds: the time that the console gets to accept them, unless it did not accept the last ones.
    /// - Returns: whether it did.
    @discardableResult func write(_ bytes: [UInt8], within milliseconds: CInt) -> Bool {
        let timeout = isStalled.load(ordering: .relaxed) ? 0 : milliseconds
        var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        let isReady = poll(&request, 1, timeout) == 1 && request.revents & Int16(POLLOUT) != 0
        isStalled.store(!isReady, ordering: .relaxed)
        guard isReady else { return false }
        return bytes.withUnsafeBytes { CLinux.write(descriptor, $0.baseAddress, $0.count) } == bytes.count
    }

    /// The size in characters; 80 columns and 25 rows if the console does not tell.
    var size: (columns: Int, rows: Int) {
        var columns: CInt = 0, rows: CInt = 0
        guard torpor_window_size(descriptor, &columns, &rows) == 0 else { return (80, 25) }
        return (columns > 0 ? Int(columns) : 80, rows > 0 ? Int(rows) : 25)
    }
}

/// Whether a path is a virtual terminal: /dev/tty and a number. /dev/tty0 is the one on the screen
/// (Documentation/admin-guide/devices.txt, major 4).
func isVirtualTerminal(_ path: String) -> Bool {
    let prefix = Array("/dev/tty".utf8), bytes = Array(path.utf8)
    return bytes.count > prefix.count && bytes.prefix(prefix.count).elementsEqual(prefix)
        && bytes.dropFirst(prefix.count).allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
}
