// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux

/// Runs the steps of a role's child: each is a sign of life, and the console tells with `torpor.debug` how long it took.
struct StepRunner {
    let state: ChildState
    let log: KernelLog
    let fault: Fault?

    /// Runs a step, or the fault that is wanted in its place.
    func run<Result>(_ step: Step, _ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        if let fault, fault.step == step { try fault.happen() }
        let start = monotonicMilliseconds()
        let result = try body()
        state.activity = ""
        state.beat()
        log.debug("\(step.rawValue): \(monotonicMilliseconds() - start) ms")
        return result
    }
}
