// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// How far a kernel is with the pages that it has to move. Pages that nobody reads or writes, those that kernel A had free,
/// are not among them.
public struct PageWork: Equatable, Sendable {
    /// Pages with contents that were moved.
    public var dataPages: UInt64 = 0
    /// Pages of zeros that were seen in kernel B, or cleared in kernel C.
    public var zeroPages: UInt64 = 0
    /// All pages of both kinds.
    public var totalPages: UInt64 = 0
    /// Those among them that have contents, if that is known before: kernel C knows it, kernel B does not.
    public var totalDataPages: UInt64?

    public init(
        dataPages: UInt64 = 0, zeroPages: UInt64 = 0, totalPages: UInt64 = 0, totalDataPages: UInt64? = nil
    ) {
        self.dataPages = dataPages
        self.zeroPages = zeroPages
        self.totalPages = totalPages
        self.totalDataPages = totalDataPages
    }
}

/// Tells how far the work is, how fast it goes and how long it will take.
///
/// A page of zeros costs something, but little: it counts for a sixteenth of one that is compressed, stored or decoded. (Saving
/// with lz4 costs a CPU about forty times as much, restoring about eight times.) The rate is that of the last seconds, so
/// that a disk that becomes slower is noticed. Where nobody knows how many of the pages that are left hold anything, as in
/// kernel B, they are taken to be like those that were seen: kernel B goes over the memory in leaps. In a small
/// memory whose parts differ from one 16 MiB to the next, that takes more than two seconds to be true.
public struct Progress {
    let verb: String
    private var samples: [Sample] = []

    private struct Sample {
        let milliseconds: UInt64
        let units: Double
        let dataPages: Double
    }

    struct Estimate: Equatable {
        /// 0 to 100.
        var percent: UInt64
        /// Bytes of pages with contents, as far as one can tell.
        var dataBytes: UInt64
        /// Bytes of them in a second.
        var bytesPerSecond: UInt64
        /// nil if nothing was done for some seconds.
        var millisecondsLeft: UInt64?
    }

    /// What a page with contents costs, in pages of zeros.
    private static let dataCost = 16.0
    /// Milliseconds over which the rate is taken.
    private static let windowMilliseconds: UInt64 = 8000

    public init(verb: String) { self.verb = verb }

    /// What can be said of the work at a time.
    /// - Parameter now: milliseconds of a clock that does not go backwards.
    /// - Returns: nil while there is nothing to tell yet.
    mutating func estimate(_ work: PageWork, at now: UInt64) -> Estimate? {
        guard work.totalPages > 0 else { return nil }
        let total = Double(work.totalPages)
        let data = min(Double(work.dataPages), total)
        var zero = min(Double(work.zeroPages), total - data)
        let dataLeft: Double, zeroLeft: Double
        if let known = work.totalDataPages {
            let totalZero = total - min(Double(known), total)
            zero = min(zero, totalZero)
            dataLeft = max(0, total - totalZero - data)
            zeroLeft = totalZero - zero
        } else {
            let left = total - data - zero
            dataLeft = data + zero > 0 ? left * data / (data + zero) : left
            zeroLeft = left - dataLeft
        }
        let done = data * Progress.dataCost + zero, left = dataLeft * Progress.dataCost + zeroLeft
        samples.append(Sample(milliseconds: now, units: done, dataPages: data))
        // The oldest that is kept is the last one from before the window.
        while samples.count > 2, samples[1].milliseconds &+ Progress.windowMilliseconds <= now { samples.removeFirst() }
        guard samples.count > 1 else { return nil }
        let elapsed = max(1, Double(now) - Double(samples[0].milliseconds))
        let unitsPerMillisecond = (done - samples[0].units) / elapsed
        return Estimate(
            percent: left > 0 ? min(99, whole(done / (done + left) * 100)) : 100,
            dataBytes: whole((data + dataLeft) * Double(pageSize)),
            bytesPerSecond: whole((data - samples[0].dataPages) / elapsed * 1000 * Double(pageSize)),
            millisecondsLeft: unitsPerMillisecond > 0 ? whole(left / unitsPerMillisecond) : nil)
    }

    /// The same as a line: `saving: 37 % of 8.1 GiB, 312.0 MiB/s, 16 s left`.
    public mutating func line(_ work: PageWork, at now: UInt64) -> String? {
        guard let estimate = estimate(work, at: now) else { return nil }
        var line = "\(verb): \(estimate.percent) % of \(describe(bytes: estimate.dataBytes))"
        line += ", \(describe(bytes: estimate.bytesPerSecond))/s"
        if let milliseconds = estimate.millisecondsLeft, estimate.percent < 100 {
            line += ", \(max(1, (milliseconds + 999) / 1000)) s left"
        }
        return line
    }
}

/// The whole part; 0 for what is no number or negative, and a large number for what is too large.
private func whole(_ value: Double) -> UInt64 {
    value >= 1 ? UInt64(min(value, 1e18)) : 0
}
