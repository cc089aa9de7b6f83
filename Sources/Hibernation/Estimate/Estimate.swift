// SPDX-License-Identifier: Apache-2.0
import Basics
import MemoryImage

/// The estimated size of an image, and the time to save it and to restore it.
public struct Estimate: Equatable, Sendable {
    public var codec: Codec
    /// Bytes of memory that would be saved, zero pages included; the zero pages among them; free memory, which is left out.
    public var usedBytes: UInt64
    public var zeroBytes: UInt64
    public var freeBytes: UInt64
    /// Bytes of the partition up to the end of the image, as `ImageCounts.storedBytes`.
    public var imageBytes: UInt64
    /// The byte of the partition up to which an image may reach.
    public var capacityBytes: UInt64
    /// Bytes of the image that must be written and read: `imageBytes` without the superblocks and the boot files.
    public var transferBytes: UInt64
    /// The time that the CPUs need to pack and to unpack all pages, with all of them at work.
    public var packMilliseconds: UInt64
    public var unpackMilliseconds: UInt64
    /// The number of threads that share CPUs and disk.
    public var workers: Int
    /// nil if the disk was not measured; then the times do not count it.
    public var rates: DiskRates?

    /// Whether the image fits on the partition.
    public var fits: Bool { imageBytes <= capacityBytes }
    /// From the first page read to the last byte flushed.
    public var saveMilliseconds: UInt64 { milliseconds(packMilliseconds, rates?.write, rates?.save) }
    /// From the first chunk read to the last page in place.
    public var resumeMilliseconds: UInt64 { milliseconds(unpackMilliseconds, rates?.read, rates?.resume) }

    private func milliseconds(_ processors: UInt64, _ rate: UInt64?, _ contention: Contention?) -> UInt64 {
        guard let rate else { return min(processors, 1 << 62) + Estimate.startMilliseconds }
        func model(_ processors: Double, _ bytes: UInt64) -> Double {
            Estimate.together(processors, Double(bytes) * 1000 / Double(max(1, rate)), workers: workers)
        }
        var slowdown = 1.0
        if let contention {
            let expected = model(Double(contention.alone) / 1e6, contention.byteCount)
            slowdown = min(Estimate.largestSlowdown, max(1, Double(contention.together) / 1e6 / max(1e-6, expected)))
        }
        return wholePart(model(Double(processors), transferBytes) * slowdown) + Estimate.startMilliseconds
    }

    /// The time of what does not grow with the memory: the start of the workers, the index and the last flush. Measured with
    /// `make bench`, part `estimate`, in the guest that has little in memory.
    static let startMilliseconds: UInt64 = 80

    /// A measured slowdown above this is a disturbance.
    private static let largestSlowdown = 4.0

    /// The time in which CPUs and disk do their work, each chunk first at one and then at the other.
    ///
    /// They work at the same time, so mostly the slower one counts. But workers do not wait at the slower one only: with
    /// demands a > b and n workers, it is busy for (1 - r^n) / (1 - r^(n+1)) of the time, r = b / a (a closed network of two
    /// queues; Reiser and Lavenberg, "Mean-Value Analysis of Closed Multichain Queuing Networks", 1980).
    static func together(_ one: Double, _ other: Double, workers: Int) -> Double {
        let slower = max(one, other)
        guard slower > 0 else { return 0 }
        let ratio = min(one, other) / slower
        var (power, sum) = (1.0, 1.0)
        for _ in 1..<max(1, min(workers, 1024)) {
            power *= ratio
            sum += power
        }
        // (1 - r^(n+1)) / (1 - r^n), as geometric sums.
        return slower * (sum + power * ratio) / sum
    }

    public init(
        codec: Codec, usedBytes: UInt64, zeroBytes: UInt64, freeBytes: UInt64, imageBytes: UInt64,
        capacityBytes: UInt64, transferBytes: UInt64, packMilliseconds: UInt64, unpackMilliseconds: UInt64,
        workers: Int, rates: DiskRates?
    ) {
        self.codec = codec
        self.usedBytes = usedBytes
        self.zeroBytes = zeroBytes
        self.freeBytes = freeBytes
        self.imageBytes = imageBytes
        self.capacityBytes = capacityBytes
        self.transferBytes = transferBytes
        self.packMilliseconds = packMilliseconds
        self.unpackMilliseconds = unpackMilliseconds
        self.workers = workers
        self.rates = rates
    }

    /// Scales a sample to all memory.
    /// - Parameters:
    ///   - used: pages that kernel B would save.
    ///   - free: pages that it would leave out.
    ///   - superblock: of the partition.
    ///   - processors: the number of CPUs that kernels B and C start.
    ///   - workers: the number of their workers.
    init(
        _ sample: MemorySample, used: UInt64, free: UInt64, _ superblock: Superblock, _ codec: Codec, processors: Int,
        workers: Int, rates: DiskRates?
    ) {
        let part = Double(used) / Double(max(1, sample.pages))
        let start = superblock.dataArea.lowerBound
        let chunks = Double(sample.chunks.byteCount) * part
        // A chunk has an entry of 32 bytes in the index.
        let transfer = wholePart(chunks + Double(sample.chunks.chunks) * part * 32)
        func milliseconds(_ nanoseconds: UInt64) -> UInt64 {
            wholePart(Double(nanoseconds) * part / 1e6 / Double(max(1, processors)))
        }
        self.init(
            codec: codec, usedBytes: used * pageSize, zeroBytes: wholePart(Double(sample.zeroPages) * part) * pageSize,
            freeBytes: free * pageSize, imageBytes: start + transfer, capacityBytes: superblock.dataArea.upperBound,
            transferBytes: transfer, packMilliseconds: milliseconds(sample.chunks.packNanoseconds),
            unpackMilliseconds: milliseconds(sample.chunks.unpackNanoseconds), workers: workers, rates: rates)
    }
}

extension Estimate {
    /// This estimate with what a rehearsal found: the size of the image, and the time to pack it.
    public func corrected(by report: Report) -> Estimate {
        guard report.outcome == .rehearsed else { return self }
        var result = self
        let start = imageBytes - min(imageBytes, transferBytes)
        result.imageBytes = min(report.counts.storedBytes, 1 << 62)
        result.transferBytes = result.imageBytes - min(result.imageBytes, start)
        result.packMilliseconds = report.counts.milliseconds
        // Kernel B does not unpack, but what differs between it and the sample differs for kernel C as well.
        result.unpackMilliseconds = wholePart(
            Double(unpackMilliseconds) * Double(report.counts.milliseconds) / Double(max(1, packMilliseconds)))
        return result
    }
}

extension Report {
    /// Milliseconds that a hibernation takes before it saves the first page: the preparation in kernel A, and the start of
    /// kernel B; nil if kernel B has not told.
    public var overheadMilliseconds: UInt64? {
        startMilliseconds > 0 ? preparationMilliseconds &+ startMilliseconds : nil
    }
}
