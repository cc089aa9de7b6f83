// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// How a child process ended.
public enum ChildStatus: Sendable {
    case exited(CInt)
    case killed(signal: CInt)

    init(_ status: CInt) {
        self =
            torpor_exited(status) != 0
            ? .exited(torpor_exit_status(status)) : .killed(signal: torpor_term_signal(status))
    }
}

/// Forks. The child runs `body` and exits with the status it returns; the parent goes on with the child's process ID.
public func forkChild(_ body: () -> CInt) throws(Failure) -> Int32 {
    let child = try retrying("start", "a child process") { fork() }
    if child == 0 { _exit(body()) }
    return child
}

/// Waits at most `milliseconds` for a child to end, without a moment lost when it does.
/// - Returns: nil where it still runs.
public func wait(for child: Int32, milliseconds: Int) throws(Failure) -> ChildStatus? {
    var status: CInt = 0
    if try retrying("wait for", "process \(child)", { waitpid(child, &status, WNOHANG) }) == child {
        return ChildStatus(status)
    }
    // A child that ends from here on leaves SIGCHLD pending, as `blockChildSignal` was called before the fork.
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

/// Keeps SIGCHLD pending instead of delivered, which `wait(for:milliseconds:)` needs.
public func blockChildSignal() {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGCHLD)
    _ = sigprocmask(SIG_BLOCK, &signals, nil)
}

/// Signals are kept pending until this goes out of scope, and delivered then: all that can end or stop a program. SIGKILL and
/// SIGSTOP cannot be kept, and those that a mistake of the program's own raises are not.
public struct BlockedSignals: ~Copyable {
    private static let own = [SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT]
    private var before = sigset_t()

    public init() {
        var held = sigset_t()
        sigfillset(&held)
        for number in BlockedSignals.own { sigdelset(&held, number) }
        _ = sigprocmask(SIG_BLOCK, &held, &before)
    }

    deinit {
        var before = before
        _ = sigprocmask(SIG_SETMASK, &before, nil)
    }

    /// Whether a signal came that asks the program to end or to stop: not one that it ignores, such as SIGHUP under nohup(1).
    public var arePending: Bool {
        var pending = sigset_t()
        guard sigpending(&pending) == 0 else { return false }
        return (1..<NSIG).contains { sigismember(&pending, $0) == 1 && torpor_signal_ends_or_stops($0) == 1 }
    }
}

/// Ends a process at once.
public func kill(_ child: Int32) { _ = CLinux.kill(child, SIGKILL) }

/// Executes an illegal instruction.
public func trap() { torpor_trap() }

/// Runs a program in this process's place, with the environment the kernel gave to init.
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

/// Runs a program on a console, in a session of its own, until it ends.
public func runOnConsole(_ program: String, _ path: String) throws(Failure) {
    let leader = try forkChild {
        setsid()
        let console = torpor_open(path, O_RDWR, 0)
        if console >= 0 {
            _ = torpor_controlling_terminal(console)
            for descriptor: CInt in 0...2 { dup2(console, descriptor) }
        }
        // The end of a session's leader hangs up its terminal, and what was written to that last is lost then
        // (drivers/tty/tty_jobctrl.c, `disassociate_ctty`): so the leader outlives the program, and waits for its output.
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

/// The exit status that a shell gives to a program that is not there.
private let notStarted: CInt = 127

private func waitForEnd(of child: Int32, _ program: String) throws(Failure) -> CInt {
    var status: CInt = 0
    try retrying("wait for", program) { waitpid(child, &status, 0) }
    return status
}

/// CPUs that this process may run on.
public func availableProcessorCount() -> Int { max(1, Int(torpor_processor_count())) }

/// The effective user ID of this process; 0 is root.
public func effectiveUserID() -> UInt32 { geteuid() }
/// This process's ID.
public func processID() -> Int32 { getpid() }

/// What uname(2) says: the host's name and the kernel's release.
public func systemNames() -> (host: String, release: String) {
    var names = utsname()
    guard uname(&names) == 0 else { return ("", "") }
    func text<T>(_ field: T) -> String {
        withUnsafeBytes(of: field) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    return (text(names.nodename), text(names.release))
}

/// Random bytes from the kernel's generator. The corresponding C function is `getrandom`.
public func randomBytes(_ count: Int) throws(Failure) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let got = bytes.withUnsafeMutableBytes { getrandom($0.baseAddress, count, 0) }
    guard got == count else { throw Failure(lastError: "read", "random bytes") }
    return bytes
}
