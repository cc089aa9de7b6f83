// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux
import Testing

@testable import Hibernation

/// Faults on purpose end a child in the way that they are named for, and only at the step that they are for.
@Suite(.serialized) struct StepRunnerTests {
    private func outcome(_ fault: String?, timeout: Int = 60) -> ChildOutcome {
        blockChildSignal()
        var parameters = KernelParameters(KernelCommandLine("torpor.wait=0 torpor.patience=\(timeout)"))
        parameters.fault = fault.flatMap { Fault($0) }
        return runInChild("working", parameters, KernelLog()) { (state) throws(Failure) in
            let steps = StepRunner(state: state, log: KernelLog(), fault: parameters.fault)
            try steps.run(.begin) {}
            state.stage = .working
            try steps.run(.pages) {}
            state.stage = .committed
        }
    }

    @Test func goesThroughWithoutAFault() {
        for fault in [nil, "finish:kill"] {
            let result = outcome(fault)
            #expect(result.reason == nil && result.stage == .committed)
        }
    }

    @Test func endsAtItsStep() {
        for (fault, reason) in [
            ("error", "run the step pages: torpor.fault= made it fail"),
            ("trap", "working: the child process was killed by signal 4"),
            ("kill", "working: the child process was killed by signal 9, perhaps because memory ran out"),
            ("hang", "working: no progress for 1 s"),
        ] {
            let result = outcome("pages:\(fault)", timeout: 1)
            #expect(result.reason == reason)
            #expect(result.stage == .working)
        }
    }
}
