// SPDX-License-Identifier: Apache-2.0
import Basics
import Hibernation
import MemoryImage

/// The hibernation of a system, with all its outcomes.
protocol HibernationSystem {
    /// Checks whether the system can hibernate as planned.
    /// - Parameter log: is called with a line before something that takes time.
    func survey(_ plan: Hibernate, _ log: (String) -> Void) -> Hibernate.Survey

    /// Checks what the running kernel must be able to do, whatever is set up.
    func surveyKernel(_ plan: Hibernate, _ log: (String) -> Void) -> Checklist

    /// Estimates the size of the image and the times of the hibernation as planned.
    /// - Parameters:
    ///   - findings: gets warnings and notes, also if this throws.
    ///   - isDiskRequired: whether a disk that cannot be measured is a failure, and not a warning.
    func estimate(_ plan: Hibernate, _ findings: inout Findings, isDiskRequired: Bool) throws(Failure) -> Estimate

    /// Hibernates as planned. Returns when kernel A runs again.
    /// - Throws: if kernel A did not jump.
    func run(
        _ plan: Hibernate, _ findings: inout Findings, hooks: JumpHooks, _ log: (String) -> Void
    ) throws(Failure) -> Report

    /// Erases the contents of an image that nobody needs after this report.
    /// - Parameter progress: is called with the number of bytes erased so far, and of all that are to be erased.
    /// - Returns: how; nil if there was nothing to erase.
    func eraseImage(after report: Report, _ progress: (UInt64, UInt64) -> Void) throws(Failure) -> Erasure?

    /// The paths of other partitions with the same UUID that hold contents of an image, as a cloned disk has them.
    func copies(of path: String) throws(Failure) -> [String]
}

/// The running kernel's hibernation.
struct KernelAHibernation: HibernationSystem {
    func survey(_ plan: Hibernate, _ log: (String) -> Void) -> Hibernate.Survey { plan.survey(log) }

    func surveyKernel(_ plan: Hibernate, _ log: (String) -> Void) -> Checklist { plan.surveyKernel(log) }

    func estimate(_ plan: Hibernate, _ findings: inout Findings, isDiskRequired: Bool) throws(Failure) -> Estimate {
        try plan.estimate(&findings, isDiskRequired: isDiskRequired)
    }

    func run(
        _ plan: Hibernate, _ findings: inout Findings, hooks: JumpHooks, _ log: (String) -> Void
    ) throws(Failure) -> Report { try plan.run(&findings, hooks: hooks, log) }

    func eraseImage(after report: Report, _ progress: (UInt64, UInt64) -> Void) throws(Failure) -> Erasure? {
        try Hibernate.eraseImage(after: report, progress)
    }

    func copies(of path: String) throws(Failure) -> [String] { try Hibernate.copies(of: path) }
}
