// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Foundation
import Linux
import MemoryImage
import Testing

@testable import Hibernation

/// Ways in which a child can end; PID 1 goes on after each of them.
@Suite(.serialized) struct ChildOutcomeTests {
    private let parameters = KernelParameters(KernelCommandLine(""))
    private let log = KernelLog()

    init() { blockChildSignal() }

    private func outcome(_ work: (ChildState) throws(Failure) -> Void) -> ChildOutcome {
        runInChild("working", parameters, log, work)
    }

    @Test func distinguishesEnds() {
        let table: [(String?, (ChildState) throws(Failure) -> Void)] = [
            (nil, { _ in }),
            ("open x: why", { (_) throws(Failure) in throw Failure("open", "x", "why") }),
            // It ends by itself, with a status that means nothing to us, before its work is done.
            ("working: the child process ended with status 3", { _ in _exit(3) }),
            ("working: the child process ended with status 1", { _ in _exit(1) }),
            (
                "working: the child process was killed by signal 9, perhaps because memory ran out",
                { _ in kill(processID()) }
            ),
            // What it wrote before it was ended tells more than the signal.
            (
                "out of memory",
                {
                    $0.text = "out of memory"
                    kill(processID())
                }
            ),
            (nil, { $0.text = "nothing that matters" }),
        ]
        for (number, (expected, work)) in table.enumerated() {
            let result = outcome(work)
            #expect(result.reason == expected, "end \(number)")
            #expect(result.stage == .preparing, "end \(number)")
        }
    }

    /// Past the point of no return it does not matter how the child ended.
    @Test func aCommittedImageStays() {
        let result = outcome { state in
            var counts = ImageCounts()
            counts.dataPages = 42
            state.counts = counts
            state.stage = .committed
            kill(processID())
        }
        #expect(result.stage == .committed)
        #expect(result.counts.dataPages == 42)
        #expect(result.reason != nil)
        #expect(outcome { $0.stage = .working }.stage == .working)
    }
}
