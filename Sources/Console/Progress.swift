// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The progress of a save or a restore, in pages. Pages that were free in kernel A do not count: they are neither saved nor
/// restored.
public struct PageWork: Equatable, Sendable {
    /// Pages with data that were saved or restored.
    public var dataPages: UInt64 = 0
    /// Zero pages that kernel B has found, or that kernel C has cleared.
    public var zeroPages: UInt64 = 0
    /// All pages of both kinds.
    public var totalPages: UInt64 = 0
    /// All pages with data, if known in advance: kernel C knows the number, kernel B does not.
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

/// Estimates the percentage, the rate and the time left.
///
/// A zero page costs a sixteenth of a page with data. (Saving a page with lz4 takes about forty times the CPU time of a zero
/// page, restoring it about eight times.) The rate covers the last seconds only, so that it follows a disk that becomes slower.
/// If the number of data pages is unknown, as in kernel B, the remaining pages are assumed to be like the ones so far: kernel B
/// saves its ranges in an order that samples the whole memory. In a small memory whose contents differ from one 16 MiB to the
/// next, the estimate takes more than two seconds to become right.
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
        /// The estimated size of all pages with data, in bytes.
        var dataBytes: UInt64
        /// The rate, in bytes of pages with data.
        var bytesPerSecond: UInt64
        /// nil if nothing was done during the rate's period.
        var millisecondsLeft: UInt64?
    }

    /// The cost of a page with data, in zero pages.
    private static let dataCost = 16.0
    /// The period over which the rate is measured.
    private static let rateMilliseconds: UInt64 = 8000

    /// - Parameter verb: the beginning of each line: `saving`.
    public init(verb: String) { self.verb = verb }

    /// Takes a sample of the work and estimates the rest.
    /// - Parameter now: milliseconds of a monotonic clock.
    /// - Returns: nil while no rate is known yet.
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
        // The oldest sample that is kept is the last one before the period.
        while samples.count > 2, samples[1].milliseconds &+ Progress.rateMilliseconds <= now { samples.removeFirst() }
        guard samples.count > 1 else { return nil }
        let elapsed = max(1, Double(now) - Double(samples[0].milliseconds))
        let unitsPerMillisecond = (done - samples[0].units) / elapsed
        return Estimate(
            percent: left > 0 ? min(99, wholePart(done / (done + left) * 100)) : 100,
            dataBytes: wholePart((data + dataLeft) * Double(pageSize)),
            bytesPerSecond: wholePart((data - samples[0].dataPages) / elapsed * 1000 * Double(pageSize)),
            millisecondsLeft: unitsPerMillisecond > 0 ? wholePart(left / unitsPerMillisecond) : nil)
    }

    /// An estimate as a line: `saving: 37 % of 8.1 GiB, 312.0 MiB/s, 16 s left`.
    func line(_ estimate: Estimate) -> String {
        "\(verb): \(estimate.percent) % of \(estimate.size), \(estimate.rate)"
            + (estimate.timeLeft.map { ", \($0) left" } ?? "")
    }
}

extension Progress.Estimate {
    var size: String { describe(bytes: dataBytes) }
    var rate: String { "\(describe(bytes: bytesPerSecond))/s" }
    /// nil if it is unknown, or if nothing is left.
    var timeLeft: String? {
        guard let millisecondsLeft, percent < 100 else { return nil }
        return "\(max(1, (millisecondsLeft + 999) / 1000)) s"
    }
}
