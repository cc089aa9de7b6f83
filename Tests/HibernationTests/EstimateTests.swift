// SPDX-License-Identifier: Apache-2.0
import Basics
import MemoryImage
import Testing

@testable import Hibernation

@Suite struct EstimateTests {
    private static let superblock = Superblock(uuid: .zero, label: "", deviceByteCount: 64 << 20)

    /// A tenth of the memory: 100 pages in chunks of 200 KiB.
    private static var sample: MemorySample {
        var sample = MemorySample()
        sample.dataPages = 75
        sample.zeroPages = 25
        sample.chunks.chunks = 2
        sample.chunks.byteCount = 200 << 10
        sample.chunks.packNanoseconds = 40_000_000
        sample.chunks.unpackNanoseconds = 10_000_000
        return sample
    }

    private func estimate(
        _ rates: DiskRates? = nil, of sample: MemorySample = sample, processors: Int = 2
    ) -> Estimate {
        Estimate(
            sample, used: 1000, free: 50, Self.superblock, .lz4, processors: processors, workers: 4,
            rates: rates)
    }

    @Test func scalesASampleToAllMemory() {
        let estimate = estimate()
        #expect(
            estimate.usedBytes == 1000 * 4096 && estimate.zeroBytes == 250 * 4096 && estimate.freeBytes == 50 * 4096)
        #expect(estimate.transferBytes == 2000 << 10 + 20 * 32)
        #expect(estimate.imageBytes == 1 << 20 + estimate.transferBytes && estimate.fits)
        // 400 ms of processor time on two CPUs.
        #expect(estimate.savingMilliseconds == 200 && estimate.resumingMilliseconds == 50)
        #expect(self.estimate(processors: 1).savingMilliseconds == 400)
    }

    /// CPUs and disk work at the same time: the slower one counts, and a part of the other if that is nearly as slow.
    @Test(
        arguments: [
            // The disk takes 2048.64 ms and 4097.28 ms; the CPUs take 200 and 50.
            (1_000_000, 500_000, 2048, 4097), (1 << 50, 1 << 50, 200, 50),
            // As long as the CPUs: one of five customers waits at the other queue.
            (10_243_200, 40_972_800, 250, 62), (0, 0, 2_048_640_000, 2_048_640_000),
        ] as [(UInt64, UInt64, UInt64, UInt64)])
    func countsTheSlowerOne(write: UInt64, read: UInt64, save: UInt64, resume: UInt64) {
        let estimate = estimate(DiskRates(write: write, read: read))
        #expect((save...save + 1).contains(estimate.savingMilliseconds), "\(estimate.savingMilliseconds)")
        #expect((resume...resume + 1).contains(estimate.resumingMilliseconds), "\(estimate.resumingMilliseconds)")
    }

    /// More workers use both better, and both together are never faster than the slower one nor slower than one after the
    /// other.
    @Test func usesBothBetterWithMoreWorkers() {
        var before = UInt64.max
        for workers in [1, 2, 4, 32, 1 << 40] {
            var estimate = estimate(DiskRates(write: 10_243_200, read: 1 << 50))
            estimate.workers = workers
            #expect((200...400).contains(estimate.savingMilliseconds) && estimate.savingMilliseconds <= before)
            before = estimate.savingMilliseconds
        }
        #expect(before <= 201)
    }

    /// CPUs and disk may slow each other down, as the work of a disk in a virtual machine takes the CPUs of its host.
    @Test(arguments: [(100, 100), (150, 150), (400, 400), (1000, 400), (10, 100), (0, 100)] as [(UInt64, UInt64)])
    func takesTheMeasuredSlowdown(together: UInt64, percent: UInt64) {
        var rates = DiskRates(write: 1 << 50, read: 1 << 50)
        rates.save = Contention(alone: 100_000_000, together: together * 1_000_000, byteCount: 1 << 20)
        let estimate = estimate(rates)
        #expect(
            (percent * 2 - 1...percent * 2 + 1).contains(estimate.savingMilliseconds), "\(estimate.savingMilliseconds)")
        #expect(estimate.resumingMilliseconds == 50)
        // Nothing was measured.
        rates.save = Contention(alone: 0, together: 0, byteCount: 0)
        #expect(self.estimate(rates).savingMilliseconds == 200)
    }

    @Test func saysWhetherTheImageFits() {
        var sample = Self.sample
        sample.chunks.byteCount = 7 << 20
        #expect(!estimate(of: sample).fits)
        #expect(estimate(of: sample).capacityBytes == 63 << 20)
    }

    /// Nothing divides by zero or overflows.
    @Test func survivesAnySample() {
        #expect(estimate(of: MemorySample()).transferBytes == 0)
        var sample = MemorySample()
        sample.dataPages = 1
        sample.chunks.byteCount = .max
        sample.chunks.chunks = .max
        sample.chunks.packNanoseconds = .max
        sample.chunks.unpackNanoseconds = .max
        let huge = Estimate(
            sample, used: 1 << 50, free: 1 << 50, Self.superblock, .lz4, processors: 0, workers: 0,
            rates: DiskRates(write: 0, read: 0))
        #expect(!huge.fits && huge.saveMilliseconds > 1 << 59)
    }

    /// A rehearsal packs all pages, so it knows better.
    @Test func takesWhatARehearsalFound() {
        var report = Report()
        report.outcome = .rehearsed
        report.counts.storedBytes = 5 << 20
        report.counts.milliseconds = 300
        let corrected = estimate(DiskRates(write: 1 << 40, read: 1 << 40)).corrected(by: report)
        #expect(corrected.imageBytes == 5 << 20 && corrected.transferBytes == 4 << 20)
        #expect(corrected.savingMilliseconds == 300 && corrected.resumingMilliseconds == 75)
        #expect(corrected.usedBytes == 1000 * 4096 && corrected.rates != nil)
        // Numbers that make no sense.
        report.counts.storedBytes = .max
        report.counts.milliseconds = .max
        #expect(!estimate().corrected(by: report).fits)
        #expect(estimate().corrected(by: report).saveMilliseconds > 1 << 61)
        report.counts.storedBytes = 0
        #expect(estimate().corrected(by: report).transferBytes == 0)
        report.outcome = .failed
        #expect(estimate().corrected(by: report) == estimate())
    }

    @Test func knowsTheTimeBeforeTheSave() {
        var report = Report()
        report.preparationMilliseconds = 500
        #expect(report.overheadMilliseconds == nil)
        report.startMilliseconds = 1000
        #expect(report.overheadMilliseconds == 1500)
    }
}

extension Estimate {
    /// The times without the one that every hibernation takes.
    fileprivate var savingMilliseconds: UInt64 { saveMilliseconds - Estimate.startMilliseconds }
    fileprivate var resumingMilliseconds: UInt64 { resumeMilliseconds - Estimate.startMilliseconds }
}
