// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// The way in which a child process ended.
public enum ChildStatus: Sendable {
    case exited(CInt)
    case killed(signal: CInt)

    init(_ status: CInt) {
        self =
            torpor_exited(status) != 0
            ? .exited(torpor_exit_status(status)) : .killed(signal: torpor_term_signal(status))
    }
}

/// Forks. The child runs `body` and exits with the status that it returns.
/// - Returns: in the parent, the child's process ID.
public func forkChild(_ body: () -> CInt) throws(Failure) -> Int32 {
    let child = try retrying("start", "a child process") { fork() }
    if child == 0 { _exit(body()) }
    return child
}

/// Waits at most `milliseconds` for a child to end, and returns as soon as it does.
/// - Precondition: `blockChildSignal()` was called before the fork.
/// - Returns: nil if the child still runs.
public func wait(for child: Int32, milliseconds: Int) throws(Failure) -> ChildStatus? {
    var status: CInt = 0
    if try retrying("wait for", "process \(child)", { waitpid(child, &status, WNOHANG) }) == child {
        return ChildStatus(status)
    }
    // If the child ends from here on, SIGCHLD becomes pending.
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGCHLD)
    var timeout = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
    _ = sigtimedwait(&signals, nil, &timeout)
    if try retrying("wait for", "process \(child)", { waitpid(child, &status, WNOHANG) }) == child {
        return ChildStatus(status)
    }
    return nil
}

/// Blocks SIGCHLD, so that it stays pending; `wait(for:milliseconds:)` needs that.
public func blockChildSignal() {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGCHLD)
    _ = sigprocmask(SIG_BLOCK, &signals, nil)
}

/// Blocks all signals until this goes out of scope; pending ones are delivered then. SIGKILL and SIGSTOP cannot be blocked.
/// Signals that report a fault of the program itself, such as SIGSEGV, stay unblocked.
public struct BlockedSignals: ~Copyable {
    private static let faults = [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT]
    private var before = sigset_t()

    public init() {
        var blocked = sigset_t()
        sigfillset(&blocked)
        for number in BlockedSignals.faults { sigdelset(&blocked, number) }
        _ = sigprocmask(SIG_BLOCK, &blocked, &before)
    }

    deinit {
        var before = before
        _ = sigprocmask(SIG_SETMASK, &before, nil)
    }

    /// Whether a signal is pending that would end or stop the program. A signal that it ignores, such as SIGHUP under nohup(1),
    /// does not count.
    public var arePending: Bool {
        var pending = sigset_t()
        guard sigpending(&pending) == 0 else { return false }
        return (1..<NSIG).contains { sigismember(&pending, $0) == 1 && torpor_signal_ends_or_stops($0) == 1 }
    }
}

/// The arguments of this process, from /proc/self/cmdline; the first one is the program's name.
public func programArguments() -> [String] {
    guard let bytes = try? readFile("/proc/self/cmdline") else { return [] }
    return bytes.split(separator: 0, omittingEmptySubsequences: false).dropLast().map {
        String(decoding: $0, as: UTF8.self)
    }
}

/// Writes text to the standard error output.
public func writeError(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(2, bytes, bytes.count)
}

/// Ends this process. The corresponding C function is `_exit`.
public func exitProcess(_ status: Int32) -> Never { _exit(status) }

/// Kills a process with SIGKILL.
public func kill(_ child: Int32) { _ = CLinux.kill(child, SIGKILL) }

/// Executes an illegal instruction.
public func trap() { torpor_trap() }

/// Replaces this process with a program, with the same environment and without blocked signals.
/// - Returns: only by throwing.
public func execute(_ program: String) throws(Failure) -> Never {
    var signals = sigset_t()
    sigemptyset(&signals)
    _ = sigprocmask(SIG_SETMASK, &signals, nil)
    program.withCString { name in
        var arguments: [UnsafeMutablePointer<CChar>?] = [UnsafeMutablePointer(mutating: name), nil]
        _ = execv(name, &arguments)
    }
    throw Failure(lastError: "run", program)
}

/// Runs a program on a console, in its own session, and waits for it to end.
/// - Parameter path: the path of the console.
public func runOnConsole(_ program: String, _ path: String) throws(Failure) {
    let leader = try forkChild {
        setsid()
        let console = torpor_open(path, O_RDWR, 0)
        if console >= 0 {
            _ = torpor_controlling_terminal(console)
            for descriptor: CInt in 0...2 { dup2(console, descriptor) }
        }
        // When a session leader ends, the kernel hangs up its terminal, and output that was not sent yet is lost
        // (drivers/tty/tty_jobctrl.c, `disassociate_ctty`). So the leader outlives the program and drains the terminal.
        do throws(Failure) {
            let child = try forkChild { do throws(Failure) { try execute(program) } catch { return notStarted } }
            let status = try waitForEnd(of: child, program)
            tcdrain(1)
            return torpor_exited(status) != 0 ? torpor_exit_status(status) : 0
        } catch { return notStarted }
    }
    let status = try waitForEnd(of: leader, program)
    if torpor_exited(status) != 0, torpor_exit_status(status) == notStarted {
        throw Failure("run", program, "it could not be started")
    }
}

/// The exit status that a shell returns if a program does not exist.
private let notStarted: CInt = 127

private func waitForEnd(of child: Int32, _ program: String) throws(Failure) -> CInt {
    var status: CInt = 0
    try retrying("wait for", program) { waitpid(child, &status, 0) }
    return status
}

/// The number of CPUs that this process may run on.
public func availableProcessorCount() -> Int { max(1, Int(torpor_processor_count())) }

/// The effective user ID of this process; 0 is root.
public func effectiveUserID() -> UInt32 { geteuid() }
/// This process's ID.
public func processID() -> Int32 { getpid() }

/// The host name and the kernel's release, from uname(2).
public func systemNames() -> (host: String, release: String) {
    var names = utsname()
    guard uname(&names) == 0 else { return ("", "") }
    func text<T>(_ field: T) -> String {
        withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return (text(names.nodename), text(names.release))
}

/// Random bytes from the kernel. The corresponding C function is `getrandom`.
public func randomBytes(_ count: Int) throws(Failure) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let got = bytes.withUnsafeMutableBytes { getrandom($0.baseAddress, count, 0) }
    guard got == count else { throw Failure(lastError: "read", "random bytes") }
    return bytes
}
