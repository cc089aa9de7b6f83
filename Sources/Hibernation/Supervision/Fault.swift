// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// A failure on purpose, to try out what becomes of it: the word `torpor.fault=STEP:KIND`.
public struct Fault: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        /// The step fails as any may, with a reason.
        case error
        /// The process executes an illegal instruction, as Swift does where it would go wrong otherwise.
        case trap
        /// The process is killed, as it is when memory runs out.
        case kill
        /// The process goes on for ever without a sign of life.
        case hang
    }

    public var step: Step
    public var kind: Kind

    /// nil for anything but `STEP:KIND`.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        guard parts.count == 2, let step = Step(rawValue: parts[0]), let kind = Kind(rawValue: parts[1]) else {
            return nil
        }
        self.step = step
        self.kind = kind
    }

    func happen() throws(Failure) {
        switch kind {
        case .error: throw Failure("run", "the step \(step.rawValue)", "torpor.fault= asks for it")
        case .trap: trap()
        case .kill: kill(processID())
        case .hang: while true { sleep(milliseconds: 60_000) }
        }
    }
}
