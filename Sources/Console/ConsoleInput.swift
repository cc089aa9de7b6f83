// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// The consoles of the running kernel, for questions to whoever sits at one of them.
///
/// Nothing here waits for a console that takes or gives nothing: descriptors do not block, and a line that a console does
/// not take within half a second is lost there. A console that hangs up is left out.
public final class ConsoleInput {
    /// A console with its settings from before.
    private struct Console {
        let path: String
        let descriptor: CInt
        let before: termios
    }

    /// A byte that somebody typed, and the path of the console.
    public struct Key: Equatable, Sendable {
        public let byte: UInt8
        public let path: String
    }

    private var consoles: [Console] = []

    /// Opens the consoles, and lets each byte arrive at once and without an echo. What was typed before is dropped: it was
    /// not meant for a question that nobody had asked yet.
    /// - Parameter paths: those that are no terminals, or are not there, are passed over.
    public init(_ paths: [String]) {
        for path in paths {
            let descriptor = torpor_open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0)
            guard descriptor >= 0 else { continue }
            var settings = termios()
            guard tcgetattr(descriptor, &settings) == 0 else {
                close(descriptor)
                continue
            }
            consoles.append(Console(path: path, descriptor: descriptor, before: settings))
            settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG)
            // Without IXON, a console that Ctrl-S has stopped goes on (drivers/tty/n_tty.c, `n_tty_set_termios`).
            settings.c_iflag &= ~tcflag_t(IXON)
            settings.c_oflag |= tcflag_t(OPOST | ONLCR)
            _ = tcsetattr(descriptor, TCSANOW, &settings)
            _ = tcflush(descriptor, TCIFLUSH)
        }
    }

    deinit { while let console = consoles.last { leave(console.path) } }

    /// The paths of the consoles that are open.
    public var paths: [String] { consoles.map { $0.path } }

    /// Writes a line on every console; what somebody else wrote on a disk does not steer it.
    public func write(line: String) {
        let bytes = Array("\(printable(line))\n".utf8)
        for console in consoles { put(bytes, on: console.descriptor) }
    }

    /// Waits for keys on any of the consoles.
    /// - Parameter milliseconds: how long to wait at most, and how long to wait if there is no console.
    /// - Returns: the keys in the order in which they came from each console; none if nobody typed.
    public func keys(within milliseconds: Int) -> [Key] {
        var requests = consoles.map { pollfd(fd: $0.descriptor, events: Int16(POLLIN), revents: 0) }
        guard !requests.isEmpty else {
            sleep(milliseconds: milliseconds)
            return []
        }
        guard poll(&requests, nfds_t(requests.count), CInt(clamping: milliseconds)) > 0 else { return [] }
        var keys: [Key] = []
        for (console, request) in zip(consoles, requests) where request.revents != 0 {
            var buffer = [UInt8](repeating: 0, count: 64)
            let count = buffer.withUnsafeMutableBytes { read(console.descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                for byte in buffer.prefix(count) { keys.append(Key(byte: byte, path: console.path)) }
            } else if count == 0 || torpor_errno() != EAGAIN && torpor_errno() != EINTR {
                // It would be ready for ever.
                leave(console.path)
            }
        }
        return keys
    }

    private func leave(_ path: String) {
        guard let number = consoles.firstIndex(where: { $0.path.utf8.elementsEqual(path.utf8) }) else { return }
        let console = consoles.remove(at: number)
        var before = console.before
        _ = tcsetattr(console.descriptor, TCSANOW, &before)
        close(console.descriptor)
    }

    /// How long a console may take nothing before the rest of a line is dropped.
    private static let patienceMilliseconds: CInt = 500

    private func put(_ bytes: [UInt8], on descriptor: CInt) {
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes {
                CLinux.write(descriptor, $0.baseAddress?.advanced(by: done), bytes.count - done)
            }
            if count > 0 {
                done += count
                continue
            }
            guard count < 0, torpor_errno() == EAGAIN || torpor_errno() == EINTR else { return }
            var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&request, 1, ConsoleInput.patienceMilliseconds) == 1, request.revents & Int16(POLLOUT) != 0
            else {
                return
            }
        }
    }
}

/// The paths of the consoles in a table such as /proc/consoles (fs/proc/consoles.c, Linux 6.12), in its order; /dev/console
/// if it names none.
public func consolePaths(inTable text: String) -> [String] {
    let paths = text.split(separator: "\n").compactMap { line in
        line.split(separator: " ").first.map { "/dev/\($0)" }
    }
    return paths.isEmpty ? ["/dev/console"] : paths
}
