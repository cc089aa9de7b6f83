// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux

/// Runs the steps of a role's child. The end of each step counts as progress; with `torpor.debug`, the console shows how long
/// it took.
struct StepRunner {
    let state: ChildState
    let log: KernelLog
    let fault: Fault?

    /// Runs a step; if a fault is set for it, injects the fault instead.
    func run<Result>(_ step: Step, _ body: () throws(Failure) -> Result) throws(Failure) -> Result {
        if let fault, fault.step == step { try fault.inject() }
        let start = monotonicMilliseconds()
        let result = try body()
        state.activity = ""
        state.beat()
        log.debug("\(step.rawValue): \(monotonicMilliseconds() - start) ms")
        return result
    }

    /// Runs a step that takes the result of an earlier one.
    func run<Input, Result>(
        _ step: Step, _ body: (Input) throws(Failure) -> Result, _ input: Input
    ) throws(Failure) -> Result {
        try run(step) { () throws(Failure) in try body(input) }
    }

    /// Runs an optional step, and logs its failure.
    /// - Returns: nil if it failed.
    func attempt<Input, Result>(
        _ step: Step, _ body: (Input) throws(Failure) -> Result, _ input: Input
    ) -> Result? {
        do throws(Failure) { return try run(step, body, input) } catch {
            log.error(error.description)
            return nil
        }
    }

    /// The last step, which has no work and fails only by an injected fault.
    func end() throws(Failure) { try run(.end) {} }
}
