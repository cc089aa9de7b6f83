// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation

/// A pseudoterminal: `path` is a console, and the test sits at the other end.
public final class Pseudoterminal: Sendable {
    public let path: String
    private let descriptor: CInt

    public init() throws {
        descriptor = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        var number: CInt = 0
        var locked: CInt = 0
        // TIOCGPTN and TIOCSPTLCK, macros with arguments (ioctl_tty(2)).
        guard descriptor >= 0, ioctl(descriptor, 0x8004_5430, &number) == 0,
            ioctl(descriptor, 0x4004_5431, &locked) == 0
        else { throw Failure("make", "a pseudoterminal", "errno \(errno)") }
        path = "/dev/pts/\(number)"
    }

    deinit { close(descriptor) }

    /// Closes the test's end; its descriptor is /dev/null then.
    public func hangUp() {
        let null = open("/dev/null", O_RDWR)
        dup2(null, descriptor)
        close(null)
    }

    /// Sets the size in characters.
    public func resize(columns: Int, rows: Int) {
        var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
        _ = ioctl(descriptor, UInt(TIOCSWINSZ), &size)
    }

    public func type(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(descriptor, bytes, bytes.count)
    }

    /// What came out, until a text is among it or nothing comes for five seconds.
    public func output(until text: String) -> String {
        var bytes: [UInt8] = []
        while !String(decoding: bytes, as: UTF8.self).contains(text) {
            guard let next = read(within: 5000) else { break }
            bytes += next
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// What came out so far.
    public func output() -> String {
        var bytes: [UInt8] = []
        while let next = read(within: 50) { bytes += next }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func read(within milliseconds: CInt) -> ArraySlice<UInt8>? {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&request, 1, milliseconds) == 1 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 4096)
        let count = Foundation.read(descriptor, &buffer, buffer.count)
        return count > 0 ? buffer.prefix(count) : nil
    }
}
