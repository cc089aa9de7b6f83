// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import Linux

/// Each in a process of its own.
@Suite struct HeldSignalsTests {
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

    @Test func whatEndsAProgramComesAfterwards() throws {
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

    @Test func whatStopsAProgramDoesNotMeanwhile() throws {
        for number in Self.stopping {
            let status = try status { signals in
                signal(number, SIG_DFL)
                raise(number)
                return signals.arePending ? 0 : 1
            }
            #expect(status == 0, "signal \(number)")
        }
    }

    @Test func whatAProgramIgnoresDoesNotInterrupt() throws {
        let status = try status { signals in
            signal(SIGHUP, SIG_IGN)
            for number in [SIGHUP, SIGCHLD, SIGWINCH, SIGCONT, SIGURG, SIGPIPE] { raise(number) }
            return signals.arePending ? 1 : 0
        }
        #expect(status == 0)
    }

    /// A mistake of the program's own is not put off.
    @Test func anAbortIsNotHeld() throws {
        let status = try status { _ in
            signal(SIGABRT, SIG_DFL)
            raise(SIGABRT)
            return 1
        }
        #expect(status & 0x7f == SIGABRT)
    }
}
