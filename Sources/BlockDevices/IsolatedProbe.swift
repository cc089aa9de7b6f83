// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// Asks devices one after the other in a child process, so that none of them is waited for longer than a bound.
///
/// A read of a device that does not answer cannot be interrupted: the child that hangs in it is left behind, and a new one
/// goes on with the next device.
struct IsolatedProbe {
    /// Seconds that a device may take to answer.
    var seconds: Int
    /// Seconds for each device behind one that was late: several that are late have mostly lost their path together.
    var secondsBehindLate = 5
    /// Runs in the child.
    var ask: (String) throws(Failure) -> DeviceAnswer

    /// Asks each of the devices once.
    /// - Parameter willAsk: is called with the path of each device before it is asked.
    /// - Returns: an answer for each path, in their order; that of a device that did not answer is a failure.
    func run(_ paths: [String], willAsk: (String) -> Void) throws(Failure) -> [DeviceAnswer] {
        var answers: [DeviceAnswer] = []
        while answers.count < paths.count {
            try runChild(paths, &answers, willAsk)
        }
        return answers
    }

    /// Starts a child behind the devices that have answered, and takes its answers until it ends, is late, or all are
    /// there. At least one answer is added.
    private func runChild(
        _ paths: [String], _ answers: inout [DeviceAnswer], _ willAsk: (String) -> Void
    ) throws(Failure) {
        let first = answers.count
        let pipe = try Pipe()
        let child = try forkChild {
            // What this process has open, locks and claims of devices included, must not stay open in a child that hangs.
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
            let seconds = isAnyLate ? min(self.seconds, secondsBehindLate) : self.seconds
            switch pipe.receive(limit: DeviceAnswer.limit, seconds: seconds) {
            case .message(let bytes):
                do throws(Failure) {
                    answers.append(try DeviceAnswer(decoding: bytes, number: UInt32(answers.count)))
                    continue
                } catch {
                    answer.failure = Failure("probe", path, "the answer of the process that probed it is malformed")
                }
            case .end: answer.failure = Failure("probe", path, "the process that probed it ended")
            case .late:
                answer.failure = Failure(
                    "probe", path, "it has not answered within \(seconds) s", errno: ErrorNumber.timedOut)
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

    /// Ends a child; one that waits for its device is not waited for.
    private func end(_ child: Int32) {
        kill(child)
        for _ in 0..<100 {
            var status: CInt = 0
            if waitpid(child, &status, WNOHANG) != 0 { return }
            sleep(milliseconds: 1)
        }
    }
}

/// A pipe for messages with their size in front.
private struct Pipe: ~Copyable {
    private let readEnd: CInt
    private let writeEnd: CInt

    enum Message {
        case message([UInt8])
        /// The other end was closed.
        case end
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

    /// For a child: closes every other descriptor of the process but the standard ones.
    borrowing func keepOnlyWriteEnd() { torpor_close_all_but(writeEnd) }

    /// - Returns: whether the message was sent whole.
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

    borrowing func receive(limit: Int, seconds: Int) -> Message {
        let deadline = monotonicMilliseconds() &+ UInt64(max(0, seconds)) &* 1000
        var header: [UInt8] = []
        if let other = receive(4, deadline, into: &header) { return other }
        guard let size = try? header.span.bytes.integer(at: 0, as: UInt32.self), size <= limit else { return .end }
        var message: [UInt8] = []
        return receive(Int(size), deadline, into: &message) ?? .message(message)
    }

    /// - Returns: nil if all bytes came.
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
