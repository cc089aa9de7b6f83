// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Linux
import MemoryImage
import PhysicalMemory

extension Hibernate {
    /// Time limits of the parts of an estimate, in milliseconds. Erasing what was written takes as long as writing at most.
    private static let memoryMilliseconds: UInt64 = 2000
    private static let diskMilliseconds: UInt64 = 800
    /// Nanoseconds for a chunk above which a codec is so slow that the disk does not matter.
    private static let slowChunk: UInt64 = 50_000_000

    /// What an estimate needs of a preparation, which holds kernel and initrd in memory.
    private struct Subject {
        let path: String
        let partition: Superblock
        let memory: [PhysicalRange]
        /// Pages below N.
        let backupPages: UInt64
        let vmcoreInfo: [UInt8]
        let unreadablePages: UInt64
        let processors: Int

        init(_ preparation: Preparation) {
            path = preparation.path
            partition = preparation.partition
            memory = preparation.a.description.memoryRanges
            backupPages = preparation.a.description.backupRanges.byteCount / pageSize
            vmcoreInfo = preparation.a.vmcoreInfo
            unreadablePages = preparation.a.unreadable.pages
            processors = preparation.backupEnd.processors ?? availableProcessorCount()
        }
    }

    /// Estimates the size of an image and the time to save it and to restore it, from a sample of the memory and from
    /// measurements of codec and disk. Takes a few seconds, however large the memory and however slow the disk.
    ///
    /// The measurement of the disk writes to the data area of the hibernation partition, and erases what it has written.
    /// - Parameter isDiskRequired: whether a disk that cannot be measured is a failure, and not a warning.
    public func estimate(_ findings: inout Findings, isDiskRequired: Bool = true) throws(Failure) -> Estimate {
        let subject = Subject(try prepare(&findings))
        // The memory of the preparation, and all that follows, is free when this process hibernates.
        releaseFreeMemory()
        let count = try FreePageCount.now()
        let sampler = try MemorySampler(
            "/proc/kcore", VMCoreInfo(subject.vmcoreInfo), memory: subject.memory,
            DeviceStore(subject.path), codec)
        let sample = try sampler.run(
            threads: min(subject.processors, availableProcessorCount()), milliseconds: Hibernate.memoryMilliseconds)
        var rates: DiskRates?
        do throws(Failure) { rates = try measureDisk(subject, sample, sampler) } catch {
            if isDiskRequired { throw error }
            findings.warn("the speed of the disk is unknown (\(error)), so the times do not count it")
        }
        let (used, free) = usedPages(subject, count, leavesOutFree: sampler.tellsFreePages && !sample.isPoisoned)
        return Estimate(
            sample, used: used, free: free, subject.partition, codec, processors: subject.processors,
            workers: pipelineWorkerCount(codec, processors: subject.processors, available: .max), rates: rates)
    }

    /// The pages that kernel B will save, and the free pages that it will leave out. Loading kernel B takes as much memory as
    /// there is below N; if less is free, the kernel frees page cache for it.
    private func usedPages(
        _ subject: Subject, _ count: FreePageCount, leavesOutFree: Bool
    ) -> (used: UInt64, free: UInt64) {
        let readable =
            subject.memory.byteCount / pageSize
            - min(
                subject.memory.byteCount / pageSize, subject.unreadablePages)
        let free = leavesOutFree ? min(readable, max(count.free &+ count.onCPULists, subject.backupPages)) : 0
        return (readable - free, free)
    }

    /// Measures the disk with as many threads as a save has workers, and with writes as large as its chunks.
    private func measureDisk(
        _ subject: Subject, _ sample: MemorySample, _ sampler: MemorySampler
    ) throws(Failure) -> DiskRates {
        let mean = Int(clamping: sample.chunks.byteCount / max(1, sample.chunks.chunks))
        let threads = subject.processors * 2
        // If a CPU takes long for a chunk, the disk does not matter, and the work would take too long.
        let nanoseconds = sample.chunks.packNanoseconds / max(1, sample.chunks.chunks)
        let available = (try? memoryInformation("MemAvailable")) ?? 0
        let affordable = Int(clamping: available / 8 / MemorySampler.workByteCount)
        let work =
            nanoseconds < Hibernate.slowChunk
            ? try sampler.work(threads: min(threads, affordable, MemorySampler.workLimit)) : []
        // Another process may have hibernated since the check.
        let lock = try HibernationLock()
        defer { withExtendedLifetime(lock) {} }
        return try HibernationPartition(subject.path, [.write, .exclusive]).measureRates(
            pieceByteCount: max(blockSize, min(mean, 1 << 20)), threads: threads,
            milliseconds: Hibernate.diskMilliseconds, work: work)
    }
}
