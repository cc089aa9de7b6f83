// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// A failure that is injected on purpose, to test how the role handles it: `torpor.fault=STEP:KIND`.
public struct Fault: Equatable, Sendable {
    public enum Kind: String, CaseIterable, Sendable {
        /// The step throws a `Failure`.
        case error
        /// The process executes an illegal instruction, as Swift does after a failed precondition.
        case trap
        /// The process is killed, as the OOM killer does.
        case kill
        /// The process sleeps for ever.
        case hang
        /// The process takes memory until the kernel kills it.
        case memory
    }

    public var step: Step
    public var kind: Kind

    /// nil if the text is not `STEP:KIND`.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map { String($0) }
        guard parts.count == 2, let step = Step(rawValue: parts[0]), let kind = Kind(rawValue: parts[1]) else {
            return nil
        }
        self.step = step
        self.kind = kind
    }

    /// Injects the fault into this process. Only `.error` returns to the caller, by throwing.
    func inject() throws(Failure) {
        switch kind {
        case .error: throw Failure("run", "the step \(step.rawValue)", "torpor.fault= made it fail")
        case .trap: trap()
        case .kill: kill(processID())
        case .hang: while true { sleep(milliseconds: 60_000) }
        case .memory:
            while true {
                // Pages exist only after something was written to them.
                _ = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 4096)
                    .initializeMemory(as: UInt8.self, repeating: 1)
            }
        }
    }
}
