// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import FoundationEssentials
import Linux

/// Runs programs with posix_spawn(3).
struct LinuxPrograms: ProgramRunner {
    /// How long a program may live on after SIGTERM.
    var graceMilliseconds = 5000

    func run(_ programs: [Program], milliseconds: Int?) -> [Result<ProgramResult, Failure>] {
        // A process that ignores SIGCHLD, as a parent may have wanted, does not get the status of its children.
        torpor_default_child_signal()
        let start = monotonicMilliseconds()
        let children = programs.map { program in Result { () throws(Failure) in try Child(program) } }
        let running = children.compactMap { try? $0.get() }
        wait(for: running, until: milliseconds.map { start + UInt64(max(0, $0)) })
        for child in running where child.status == nil { child.end(with: SIGTERM) }
        wait(for: running, until: monotonicMilliseconds() + UInt64(graceMilliseconds))
        for child in running where child.status == nil { child.end(with: SIGKILL) }
        wait(for: running, until: nil)
        return children.map { $0.map(\.result) }
    }

    /// Waits until all children have ended, but not longer than a time of the monotonic clock. Reads what they write.
    private func wait(for children: [Child], until deadline: UInt64?) {
        while true {
            var polled = children.filter { $0.status == nil }.flatMap(\.descriptors).map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            if polled.isEmpty { return }
            var rest: CInt = -1
            if let deadline {
                let now = monotonicMilliseconds()
                if now >= deadline { return }
                rest = CInt(clamping: deadline - now)
            }
            _ = poll(&polled, nfds_t(polled.count), rest)
            for child in children where child.status == nil { child.look() }
        }
    }
}

/// A program that was started.
private final class Child {
    /// As waitpid(2) returns it; nil while the program runs.
    private(set) var status: CInt?
    private let process: pid_t
    /// Becomes readable when the process ends.
    private let processDescriptor: CInt
    private var output: Capture?
    private var errors: Capture?
    private var isTimedOut = false

    init(_ program: Program) throws(Failure) {
        let isCaptured = program.output == .captured
        output = isCaptured ? try Capture() : nil
        errors = isCaptured ? try Capture() : nil
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if !program.readsInput { posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0) }
        if program.output == .discarded {
            for target: CInt in 1...2 { posix_spawn_file_actions_addopen(&actions, target, "/dev/null", O_WRONLY, 0) }
        }
        if let output, let errors {
            posix_spawn_file_actions_adddup2(&actions, output.writer, 1)
            posix_spawn_file_actions_adddup2(&actions, errors.writer, 2)
        }
        process = try Child.spawn(program, &actions)
        output?.closeWriter()
        errors?.closeWriter()
        processDescriptor = torpor_process_descriptor(process)
        if processDescriptor < 0 {
            // Without it nobody would notice the end.
            let failure = Failure(lastError: "watch", program.name)
            end(with: SIGKILL)
            while waitpid(process, nil, 0) < 0, torpor_errno() == EINTR {}
            throw failure
        }
    }

    deinit { if processDescriptor >= 0 { close(processDescriptor) } }

    /// Starts the program with the default action for all signals, and none blocked.
    private static func spawn(_ program: Program, _ actions: inout posix_spawn_file_actions_t) throws(Failure) -> pid_t
    {
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        sigfillset(&signals)
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        let environment = ProcessInfo.processInfo.environment.merging(program.environment) { $1 }
        var process: pid_t = 0
        let error = withCStrings([program.name] + program.arguments) { arguments in
            withCStrings(environment.map { "\($0)=\($1)" }) { variables in
                posix_spawnp(&process, program.name, &actions, &attributes, arguments, variables)
            }
        }
        guard error == 0 else { throw Failure("run", program.name, errno: error) }
        return process
    }

    /// What poll(2) should watch while the program runs.
    var descriptors: [CInt] {
        [processDescriptor] + [output, errors].compactMap { $0.flatMap { $0.isOpen ? $0.reader : nil } }
    }

    /// Reads what the program has written, and its status if it has ended.
    func look() {
        // First the status: the program writes nothing after its end. Its own children might, for ever.
        var found: CInt = 0
        let hasEnded = waitpid(process, &found, WNOHANG) == process
        output?.read()
        errors?.read()
        if hasEnded { status = found }
    }

    /// Sends a signal to the program because its time is over.
    func end(with signal: CInt) {
        isTimedOut = true
        _ = CLinux.kill(process, signal)
    }

    var result: ProgramResult {
        let status = status ?? 0
        let end: ProgramResult.End =
            isTimedOut
            ? .timedOut
            : torpor_exited(status) != 0
                ? .exited(torpor_exit_status(status)) : .killed(signal: torpor_term_signal(status))
        return ProgramResult(end: end, output: output?.text ?? "", errors: errors?.text ?? "")
    }
}

/// A pipe into which a program writes.
private final class Capture {
    private static let limit = 1 << 20
    let reader, writer: CInt
    private var isWriterOpen = true
    private(set) var isOpen = true
    private var bytes: [UInt8] = []

    init() throws(Failure) {
        var pair: [CInt] = [-1, -1]
        try retrying("make", "a pipe") { torpor_pipe(&pair) }
        (reader, writer) = (pair[0], pair[1])
    }

    deinit {
        closeWriter()
        close(reader)
    }

    func closeWriter() {
        if isWriterOpen { close(writer) }
        isWriterOpen = false
    }

    /// Reads what is there. What is beyond the limit is lost.
    func read() {
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while isOpen {
            let count = CLinux.read(reader, &buffer, buffer.count)
            if count < 0, torpor_errno() == EINTR { continue }
            if count == 0 { isOpen = false }
            guard count > 0 else { return }
            bytes += buffer.prefix(min(count, Capture.limit - bytes.count))
        }
    }

    var text: String { String(decoding: bytes, as: UTF8.self) }
}

/// Calls `body` with an array of C strings that ends with a null pointer.
private func withCStrings<R>(_ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) -> R) -> R {
    let pointers = texts.map { strdup($0) }
    defer { for pointer in pointers { free(pointer) } }
    return body(pointers + [nil])
}
