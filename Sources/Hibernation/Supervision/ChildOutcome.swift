// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import MemoryImage

/// The result of a part of a role that ran in a child process.
struct ChildOutcome {
    /// Why the work was not done; nil if it was.
    let reason: String?
    /// The stage that the child reached. Past the point of no return, this counts, however the child ended.
    let stage: ChildState.Stage
    let counts: ImageCounts
    let imageUUID: UUID
    /// See `ChildState.contentsEnd`.
    var contentsEnd: UInt64 = 0
    /// See `ChildState.startMilliseconds`.
    var startMilliseconds: UInt64 = 0
    /// The image that the work was about; nil if none was found.
    var image: UUID? { imageUUID == .zero ? nil : imageUUID }
    /// See `ChildState.Ending`.
    var ending: ChildState.Ending?
    /// See `ChildState.answer`.
    var answer: UInt64 = 0
}

/// Runs a part of a role in a child process, and waits for its end.
/// - Parameters:
///   - verb: names the work in progress lines and reasons: `saving`.
///   - persons: what persons at the consoles see and may do; nil if the work is short.
///   - work: runs in the child.
func runInChild(
    _ verb: String, _ parameters: KernelParameters, _ log: KernelLog, watchdogs: Watchdogs? = nil,
    persons: Attendance? = nil, _ work: (ChildState) throws(Failure) -> Void
) -> ChildOutcome {
    let state: ChildState
    do throws(Failure) { state = try ChildState() } catch {
        return ChildOutcome(reason: error.description, stage: .preparing, counts: ImageCounts(), imageUUID: .zero)
    }
    let watch = ChildWatch(
        state: state, log: log, verb: verb,
        progressTimeoutSeconds: parameters.waitSeconds + parameters.progressTimeoutSeconds,
        watchdogs: watchdogs, persons: persons)
    let reason = watch.run { () throws(Failure) in try work(state) }
    return ChildOutcome(
        reason: reason, stage: state.stage, counts: state.counts, imageUUID: state.imageUUID,
        contentsEnd: state.contentsEnd, startMilliseconds: state.startMilliseconds, ending: state.ending,
        answer: state.answer)
}
