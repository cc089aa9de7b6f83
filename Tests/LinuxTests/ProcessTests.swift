// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import Linux

@Suite struct ProcessTests {
    // MARK: Signals that are held back, each in a process of its own

    private static let fatal = [
        SIGHUP, SIGINT, SIGTERM, SIGQUIT, SIGALRM, SIGUSR1, SIGUSR2, SIGXCPU, SIGVTALRM, SIGPOLL,
    ]
    private static let stopping = [SIGTSTP, SIGTTIN, SIGTTOU]

    /// Runs `body` in a child with signals held; its result is the child's exit status, before they are delivered.
    /// - Returns: what waitpid(2) tells.
    private func status(releasing: Bool = false, _ body: (borrowing BlockedSignals) -> Int32) throws -> Int32 {
        let child = try forkChild {
            // Threads of the test's own may have signals blocked.
            var none = sigset_t()
            sigemptyset(&none)
            sigprocmask(SIG_SETMASK, &none, nil)
            let signals = BlockedSignals()
            let result = body(signals)
            if !releasing || result != 0 { end(result) }
            withExtendedLifetime(signals) {}
            return 0
        }
        var status: Int32 = 0
        try #require(waitpid(child, &status, WUNTRACED) == child)
        return status
    }

    private func end(_ status: Int32) { _exit(status) }

    @Test func deliversFatalSignalsAtTheEnd() throws {
        for number in Self.fatal {
            let status = try status(releasing: true) { signals in
                // A shell lets its background jobs ignore some.
                signal(number, SIG_DFL)
                if signals.arePending { return 1 }
                raise(number)
                return signals.arePending ? 0 : 2
            }
            #expect(status & 0x7f == number, "signal \(number), status \(status)")
        }
    }

    @Test func holdsBackStopSignals() throws {
        for number in Self.stopping {
            let status = try status { signals in
                signal(number, SIG_DFL)
                raise(number)
                return signals.arePending ? 0 : 1
            }
            #expect(status == 0, "signal \(number)")
        }
    }

    @Test func ignoredSignalsAreNotPending() throws {
        let status = try status { signals in
            signal(SIGHUP, SIG_IGN)
            for number in [SIGHUP, SIGCHLD, SIGWINCH, SIGCONT, SIGURG, SIGPIPE] { raise(number) }
            return signals.arePending ? 1 : 0
        }
        #expect(status == 0)
    }

    /// A mistake of the program's own is not put off.
    @Test func anAbortIsNotBlocked() throws {
        let status = try status { _ in
            signal(SIGABRT, SIG_DFL)
            raise(SIGABRT)
            return 1
        }
        #expect(status & 0x7f == SIGABRT)
    }

    @Test func reportsHowAChildEnded() throws {
        blockChildSignal()
        let exited = try forkChild { 7 }
        guard case .exited(7) = try wait(for: exited, milliseconds: 500) else {
            Issue.record("the status is lost")
            return
        }
        let hanging = try forkChild {
            sleep(milliseconds: 60_000)
            return 0
        }
        #expect(try wait(for: hanging, milliseconds: 1) == nil)
        kill(hanging)
        guard case .killed(signal: 9) = try wait(for: hanging, milliseconds: 500) else {
            Issue.record("the signal is lost")
            return
        }
    }

    @Test func namesAMissingProgram() throws {
        let child = try forkChild {
            do throws(Failure) { try execute("/nowhere/init") } catch {
                return error.description == "run /nowhere/init: No such file or directory" ? 0 : 1
            }
        }
        guard case .exited(0) = try end(of: child) else {
            Issue.record("another sentence, or none")
            return
        }
        #expect(isExecutable("/proc/self/exe"))
        #expect(!isExecutable("/nowhere/init"))
        #expect(isSymbolicLink("/proc/self/exe"))
        #expect(!isSymbolicLink("/dev/null"))
    }

    /// Waits as long as it takes; `wait` itself may not hear of the end where other threads take signals.
    private func end(of child: Int32) throws -> ChildStatus {
        while true {
            if let status = try wait(for: child, milliseconds: 20) { return status }
        }
    }

    @Test func randomBytesDiffer() throws {
        let one = try randomBytes(32), other = try randomBytes(32)
        #expect(one.count == 32 && one != other)
        #expect(try randomBytes(0) == [])
    }

    @Test func readsTheNamesOfThisSystem() {
        let names = systemNames()
        #expect(!names.host.isEmpty)
        #expect((try? readText("/proc/sys/kernel/osrelease")).map { trimmed($0) } == names.release)
        #expect(errorText(2) == "No such file or directory")
    }
}
