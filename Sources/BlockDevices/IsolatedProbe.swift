// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// Probes devices one after the other in a child process, so that no device blocks this process longer than its timeout.
///
/// A read from a device that does not answer cannot be interrupted. The child that hangs in it is abandoned, and a new child
/// continues with the next device.
struct IsolatedProbe {
    /// The timeout of a device, in seconds.
    var seconds: Int
    /// The timeout after a device was late, in seconds: devices that are late together have usually lost the same path.
    var secondsAfterLate = 5
    /// Whether the devices are probed in a child process. Tests probe some in their own process: it has many threads, so its
    /// children could wait for ever for a lock that one of them held.
    var isInChild = true
    /// Probes the device at a path. Runs in the child.
    var ask: (String) throws(Failure) -> DeviceAnswer

    /// Probes each device once.
    /// - Parameter willAsk: is called with the path of each device before it is probed.
    /// - Returns: an answer for each path, in the same order. If a device did not answer, its answer has a failure.
    func run(_ paths: [String], willAsk: (String) -> Void) throws(Failure) -> [DeviceAnswer] {
        var answers: [DeviceAnswer] = []
        while answers.count < paths.count {
            guard isInChild else {
                willAsk(paths[answers.count])
                answers.append(answer(of: paths[answers.count]))
                continue
            }
            try runChild(paths, &answers, willAsk)
        }
        return answers
    }

    /// Starts a child that continues after the devices that have answered, and receives its answers until it ends, is late, or
    /// all devices have answered. Adds at least one answer.
    private func runChild(
        _ paths: [String], _ answers: inout [DeviceAnswer], _ willAsk: (String) -> Void
    ) throws(Failure) {
        let first = answers.count
        let pipe = try Pipe()
        let child = try forkChild {
            // A child that hangs must not keep this process's files open: they include locks and exclusive opens of devices.
            pipe.keepOnlyWriteEnd()
            for number in first..<paths.count {
                guard pipe.send(answer(of: paths[number]).encoded(number: UInt32(number))) else { return 1 }
            }
            return 0
        }
        pipe.closeWriteEnd()
        defer { end(child) }
        while answers.count < paths.count {
            let path = paths[answers.count]
            willAsk(path)
            var answer = DeviceAnswer()
            let isAnyLate = answers.contains { $0.failure?.errno == ErrorNumber.timedOut }
            let seconds = isAnyLate ? min(self.seconds, secondsAfterLate) : self.seconds
            switch pipe.receive(limit: DeviceAnswer.limit, seconds: seconds) {
            case .message(let bytes):
                do throws(Failure) {
                    answers.append(try DeviceAnswer(decoding: bytes, number: UInt32(answers.count)))
                    continue
                } catch {
                    answer.failure = Failure("probe", path, "the probing process sent a malformed answer")
                }
            case .end: answer.failure = Failure("probe", path, "the probing process ended unexpectedly")
            case .late:
                answer.failure = Failure(
                    "probe", path, "it did not answer within \(seconds) s", errno: ErrorNumber.timedOut)
            }
            answers.append(answer)
            return
        }
    }

    private func answer(of path: String) -> DeviceAnswer {
        do throws(Failure) { return try ask(path) } catch {
            var answer = DeviceAnswer()
            answer.failure = error
            return answer
        }
    }

    /// Kills a child and reaps it. A child that is blocked by its device is abandoned after 100 ms.
    private func end(_ child: Int32) {
        kill(child)
        for _ in 0..<100 {
            var status: CInt = 0
            if waitpid(child, &status, WNOHANG) != 0 { return }
            sleep(milliseconds: 1)
        }
    }
}

/// A pipe for messages, each with its size in front.
private struct Pipe: ~Copyable {
    private let readEnd: CInt
    private let writeEnd: CInt

    enum Message {
        case message([UInt8])
        /// The other end was closed, or the message is too large.
        case end
        /// The timeout has passed.
        case late
    }

    init() throws(Failure) {
        var ends: (CInt, CInt) = (-1, -1)
        let result = withUnsafeMutableBytes(of: &ends) { bytes in
            CLinux.pipe(bytes.baseAddress?.assumingMemoryBound(to: CInt.self))
        }
        guard result == 0 else { throw Failure(lastError: "make", "a pipe") }
        (readEnd, writeEnd) = ends
    }

    deinit { close(readEnd) }

    borrowing func closeWriteEnd() { close(writeEnd) }

    /// For a child: closes all descriptors of the process but the write end and the standard ones.
    borrowing func keepOnlyWriteEnd() { torpor_close_all_but(writeEnd) }

    /// - Returns: whether the whole message was sent.
    borrowing func send(_ message: [UInt8]) -> Bool {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: UInt32(message.count))
        bytes += message
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { write(writeEnd, $0.baseAddress?.advanced(by: done), $0.count - done) }
            if count < 0, torpor_errno() == EINTR { continue }
            if count <= 0 { return false }
            done += count
        }
        return true
    }

    /// Receives a message of at most `limit` bytes, and waits at most `seconds` for all of it.
    borrowing func receive(limit: Int, seconds: Int) -> Message {
        let deadline = monotonicMilliseconds() &+ UInt64(max(0, seconds)) &* 1000
        var header: [UInt8] = []
        if let other = receive(4, deadline, into: &header) { return other }
        guard let size = try? header.span.bytes.integer(at: 0, as: UInt32.self), size <= limit else { return .end }
        var message: [UInt8] = []
        return receive(Int(size), deadline, into: &message) ?? .message(message)
    }

    /// - Returns: nil if all bytes arrived.
    private borrowing func receive(_ count: Int, _ deadline: UInt64, into bytes: inout [UInt8]) -> Message? {
        bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let now = monotonicMilliseconds()
            guard now < deadline else { return .late }
            var descriptor = pollfd(fd: readEnd, events: Int16(POLLIN), revents: 0)
            let ready = poll(&descriptor, 1, CInt(clamping: min(deadline - now, 1000)))
            if ready == 0 || ready < 0 && torpor_errno() == EINTR { continue }
            let got = bytes.withUnsafeMutableBytes { read(readEnd, $0.baseAddress?.advanced(by: done), count - done) }
            if got < 0, torpor_errno() == EINTR { continue }
            if got <= 0 { return .end }
            done += got
        }
        return nil
    }
}
