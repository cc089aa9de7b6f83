// SPDX-License-Identifier: Apache-2.0

/// Shows the progress of a save or a restore to persons: a bar on each screen, and now and then a line on all other consoles
/// and in the kernel's log.
public final class ProgressDisplay {
    private let log: KernelLog
    private let verb: String
    /// What a key does: `give up`.
    private let stopping: String
    private var progress: Progress
    private var cadence = LineCadence()
    private var screens: [ProgressScreen]
    /// The time of the first sample.
    private var start: UInt64?

    /// - Parameters:
    ///   - verb: the beginning of each line: `saving`.
    ///   - stopping: what Esc and Ctrl-C do: `give up`.
    public init(_ log: KernelLog, verb: String, stopping: String) {
        self.log = log
        self.verb = verb
        self.stopping = stopping
        progress = Progress(verb: verb)
        screens = log.consoles.filter { $0.isScreen }.map { ProgressScreen($0) }
    }

    deinit { end() }

    /// Milliseconds before the first estimate: a shorter time says nothing about the rate.
    private static let firstMilliseconds: UInt64 = 1000

    /// Takes a sample of the work, and shows it. To be called several times a second.
    /// - Parameters:
    ///   - isStoppable: whether keys still stop the work.
    ///   - now: milliseconds of a monotonic clock.
    public func show(_ work: PageWork, isStoppable: Bool, at now: UInt64) {
        guard work.totalPages > 0 else { return }
        let begin = start ?? now
        start = begin
        guard let estimate = progress.estimate(work, at: now), now >= begin + ProgressDisplay.firstMilliseconds else {
            return
        }
        let bar = ProgressBar(verb: verb, estimate: estimate, hint: isStoppable ? "Esc: \(stopping)" : "finishing")
        for number in screens.indices { screens[number].draw(bar) }
        let isFirst = cadence.isFirst
        if cadence.isDue(percent: estimate.percent, at: now) {
            log.progress(progress.line(estimate) + (isFirst && isStoppable ? "; Ctrl-C: \(stopping)" : ""))
        }
    }

    /// Removes the bars.
    public func end() { for number in screens.indices { screens[number].clear() } }
}

/// Decides when a line about the progress is due: the first estimate, then after 10 % more and 10 s, whichever is later, but
/// after 30 s in any case.
struct LineCadence {
    private var last: (percent: UInt64, milliseconds: UInt64)?

    var isFirst: Bool { last == nil }

    /// Whether a line is due; if so, it counts as printed.
    mutating func isDue(percent: UInt64, at now: UInt64) -> Bool {
        if let last, now < last.milliseconds + 30_000,
            percent < last.percent + 10 || now < last.milliseconds + 10_000
        {
            return false
        }
        last = (percent, now)
        return true
    }
}
