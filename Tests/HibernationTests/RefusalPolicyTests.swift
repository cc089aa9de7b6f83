// SPDX-License-Identifier: Apache-2.0
import Linux
import Testing

@testable import Hibernation

/// What becomes of a session that cannot be resumed now, for everything the command line can say.
@Suite struct RefusalPolicyTests {
    private func policy(_ words: String) -> RefusalPolicy { KernelParameters(KernelCommandLine(words)).refusalPolicy }

    private typealias Decision = RefusalPolicy.Decision
    private static let powerOff = Decision(askSeconds: 120, otherwise: .powerOff)
    private static let bootRoot = Decision(askSeconds: 120, otherwise: .bootRoot)
    private static let restart = Decision(askSeconds: 10, otherwise: .restart)

    @Test(
        arguments: [
            // A laptop: one restart, then a question, and the session outlives a night without an answer.
            ("root=/dev/x", 1, restart), ("root=/dev/x", 2, powerOff), ("root=/dev/x", 77, powerOff),
            ("", 1, restart), ("", 2, powerOff),
            // Without a count, nothing would end the restarts.
            ("root=/dev/x", nil, powerOff), ("torpor.refused=reboot", nil, powerOff),
            // A server that was told so comes up by itself in the end.
            ("root=/dev/x torpor.unattended=root", 1, restart), ("root=/dev/x torpor.unattended=root", 2, bootRoot),
            ("root=/dev/x torpor.unattended=root", nil, bootRoot),
            ("root=/dev/x torpor.unattended=poweroff", 2, powerOff),
            ("torpor.unattended=root", 2, powerOff),
            ("root=/dev/x torpor.refused=ask", 1, powerOff),
            ("root=/dev/x torpor.refused=ask torpor.unattended=root", 1, bootRoot),
            (
                "root=/dev/x torpor.refused=poweroff torpor.unattended=root", 1,
                Decision(askSeconds: 0, otherwise: .powerOff)
            ),
            ("torpor.refused=poweroff", nil, Decision(askSeconds: 0, otherwise: .powerOff)),
            ("torpor.refused=reboot", 1, restart), ("torpor.refused=reboot", 5, restart),
            ("torpor.refused=reboot", 6, powerOff), ("torpor.refused=reboot", UInt32.max, powerOff),
            ("root=/dev/x torpor.refused=reboot torpor.unattended=root", 6, bootRoot),
            ("root=/dev/x torpor.refused=root", 1, Decision(askSeconds: 0, otherwise: .bootRoot)),
            ("root=/dev/x torpor.refused=root", nil, Decision(askSeconds: 0, otherwise: .bootRoot)),
            ("torpor.refused=root", 1, powerOff),
            // Times.
            ("torpor.ask=7", 1, Decision(askSeconds: 7, otherwise: .restart)),
            ("torpor.ask=7", 2, Decision(askSeconds: 7, otherwise: .powerOff)),
            ("torpor.ask=0", 1, Decision(askSeconds: 0, otherwise: .restart)),
            ("torpor.ask=600", 1, restart), ("torpor.ask=600", 2, Decision(askSeconds: 600, otherwise: .powerOff)),
        ] as [(String, UInt32?, RefusalPolicy.Decision)])
    func decides(words: String, refusals: UInt32?, expected: RefusalPolicy.Decision) {
        #expect(policy(words).decision(refusals: refusals) == expected)
    }

    /// An ordinary start comes up in the end, and drops no session by itself.
    @Test(
        arguments: [
            ("", 1, restart), ("", 2, Decision(askSeconds: 120, otherwise: .goOn)),
            ("", nil, Decision(askSeconds: 120, otherwise: .goOn)),
            ("torpor.unattended=root", 2, bootRoot), ("torpor.unattended=poweroff", 2, powerOff),
            ("torpor.refused=root", 1, Decision(askSeconds: 0, otherwise: .bootRoot)),
            ("torpor.refused=ask torpor.ask=5", 1, Decision(askSeconds: 5, otherwise: .goOn)),
        ] as [(String, UInt32?, RefusalPolicy.Decision)])
    func decidesInAnOrdinaryStart(words: String, refusals: UInt32?, expected: RefusalPolicy.Decision) {
        #expect(policy("torpor.ordinary \(words)").decision(refusals: refusals) == expected)
        let initramfs = KernelParameters(KernelCommandLine(words), isInInitramfs: true)
        #expect(initramfs.refusalPolicy.decision(refusals: refusals) == expected && initramfs.problems.isEmpty)
    }

    /// Whatever the count, a session is given up by itself only if the command line says so.
    @Test func keepsTheSessionByDefault() {
        for choice in ["", "torpor.refused=ask", "torpor.refused=poweroff", "torpor.refused=reboot"] {
            for refusals in [nil, 1, 2, 5, 6, 1000, .max] as [UInt32?] {
                let decision = policy("root=/dev/x \(choice)").decision(refusals: refusals)
                #expect(decision.otherwise != .bootRoot, "\(choice), \(refusals ?? 0)")
            }
        }
    }

    @Test(arguments: [
        "torpor.refused=shell", "torpor.refused=", "torpor.unattended=reboot", "torpor.ask=-1", "torpor.ask=86401",
        "torpor.ask=soon",
    ])
    func reportsUnreadableParameters(word: String) {
        let parameters = KernelParameters(KernelCommandLine("root=x \(word)"))
        #expect(parameters.problems.count == 1)
        #expect(parameters.problems.first?.contains(word) == true)
        var standard = RefusalPolicy()
        standard.canBootRoot = true
        #expect(parameters.refusalPolicy == standard)
    }

    @Test(arguments: ["torpor.refused=root", "torpor.unattended=root"])
    func reportsAMissingRoot(word: String) {
        #expect(KernelParameters(KernelCommandLine(word)).problems == ["\(word) needs root="])
        #expect(KernelParameters(KernelCommandLine("\(word) root=/dev/x")).problems == [])
    }

    /// Somebody pressed a key, or a serial line has noise: without an answer the session comes back.
    @Test(arguments: [("", 120), ("torpor.ask=7", 7), ("torpor.ask=0 torpor.refused=poweroff", 120)])
    func goesOnAfterAStopWithoutAnAnswer(words: String, seconds: Int) {
        #expect(policy(words).afterStop == Decision(askSeconds: seconds, otherwise: .resume))
    }
}
