// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// The consoles of the running kernel, to ask their users a question.
///
/// A stopped console cannot block this process: the descriptors are non-blocking, and a console that does not accept a line
/// within half a second loses it. A console that hangs up is closed.
public final class ConsoleInput {
    /// An open console with its original settings.
    private struct Console {
        let path: String
        let descriptor: CInt
        let before: termios
    }

    /// A typed byte, and the path of its console.
    public struct Key: Equatable, Sendable {
        public let byte: UInt8
        public let path: String
    }

    private var consoles: [Console] = []

    /// Opens the consoles in a mode without line buffering and without echo. Earlier input is dropped: it does not answer a
    /// question that comes later.
    /// - Parameter paths: paths that do not exist or are not terminals are skipped.
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
            // Without IXON, output stopped by Ctrl-S continues (drivers/tty/n_tty.c, `n_tty_set_termios`).
            settings.c_iflag &= ~tcflag_t(IXON)
            settings.c_oflag |= tcflag_t(OPOST | ONLCR)
            _ = tcsetattr(descriptor, TCSANOW, &settings)
            _ = tcflush(descriptor, TCIFLUSH)
        }
    }

    deinit { while let console = consoles.last { remove(console.path) } }

    /// The paths of the open consoles.
    public var paths: [String] { consoles.map { $0.path } }

    /// Writes a line on every console, with control characters escaped.
    public func write(line: String) {
        let bytes = Array("\(printable(line))\n".utf8)
        for console in consoles { put(bytes, on: console.descriptor) }
    }

    /// Waits for keys on any console.
    /// - Parameter milliseconds: the maximum wait. If no console is open, this waits for the whole time.
    /// - Returns: the keys, in order for each console; none if nobody typed.
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
                // The console hung up. It would stay ready for ever.
                remove(console.path)
            }
        }
        return keys
    }

    /// Restores a console's settings and closes it.
    private func remove(_ path: String) {
        guard let number = consoles.firstIndex(where: { $0.path.utf8.elementsEqual(path.utf8) }) else { return }
        let console = consoles.remove(at: number)
        var before = console.before
        _ = tcsetattr(console.descriptor, TCSANOW, &before)
        close(console.descriptor)
    }

    /// If a console accepts nothing for this time, the rest of the line is dropped.
    private static let writeTimeoutMilliseconds: CInt = 500

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
            guard poll(&request, 1, ConsoleInput.writeTimeoutMilliseconds) == 1, request.revents & Int16(POLLOUT) != 0
            else {
                return
            }
        }
    }
}

/// The paths of the consoles in the text of /proc/consoles (6.12, fs/proc/consoles.c), in its order; /dev/console if it lists
/// none.
public func consolePaths(inTable text: String) -> [String] {
    let paths = text.split(separator: "\n").compactMap { line in
        line.split(separator: " ").first.map { "/dev/\($0)" }
    }
    return paths.isEmpty ? ["/dev/console"] : paths
}
