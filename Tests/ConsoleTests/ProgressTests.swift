// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import Console

/// The time left as it is printed, compared with the time that it then takes, in worlds in which time passes as the test says.
@Suite struct ProgressTests {
    /// Memory, and what a kernel takes for its pages.
    struct World: CustomTestStringConvertible, Sendable {
        let testDescription: String
        /// For each window of 4096 pages: how many have data; the rest are zeros.
        var windows: [UInt64]
        /// Nanoseconds for a page.
        var dataCost: Double
        var zeroCost: Double
        /// From this part of the work on, all takes that many times as long.
        var change: (at: Double, factor: Double)?
        /// Whether the counts are known before: kernel C. Kernel B does not know how many are zeros.
        var isKernelC = false
        /// Whether the windows are taken in leaps, as kernel B takes them; an image of before has them in a row.
        var isSpread = true
    }

    private static func windows(_ count: Int, _ data: (Int) -> UInt64) -> [UInt64] { (0..<count).map(data) }

    /// A page takes 4 µs where data goes at 1 GB/s.
    private static let worlds: [World] = [
        World(
            testDescription: "all data", windows: windows(2000) { _ in 4096 }, dataCost: 4000, zeroCost: 100),
        World(
            testDescription: "all zeros", windows: windows(20_000) { _ in 0 }, dataCost: 4000, zeroCost: 250),
        World(
            testDescription: "1 % data, at the end of memory", windows: windows(32_768) { $0 >= 32_440 ? 4096 : 0 },
            dataCost: 8000, zeroCost: 150),
        World(
            testDescription: "1 % data, in the middle, on a slow disk",
            windows: windows(8192) { $0 / 82 == 50 ? 4096 : 0 },
            dataCost: 80_000, zeroCost: 400),
        World(
            testDescription: "two thirds data, then zeros", windows: windows(600) { $0 < 400 ? 4096 : 0 },
            dataCost: 20_000, zeroCost: 300),
        World(
            testDescription: "data and zeros in each window", windows: windows(1000) { UInt64($0 * 37 % 4096) },
            dataCost: 10_000, zeroCost: 2000),
        World(
            testDescription: "a small machine", windows: windows(64) { (10..<25).contains($0) ? 0 : 3000 },
            dataCost: 60_000,
            zeroCost: 4000),
        World(
            testDescription: "kernel C, all data", windows: windows(2000) { _ in 4096 }, dataCost: 4000, zeroCost: 100,
            isKernelC: true),
        World(
            testDescription: "kernel C, 1 % data at the end of memory",
            windows: windows(32_768) { $0 >= 32_440 ? 4096 : 0 }, dataCost: 8000, zeroCost: 300, isKernelC: true),
        World(
            testDescription: "kernel C, data behind zeros in a row", windows: windows(3000) { $0 >= 1500 ? 4096 : 0 },
            dataCost: 8000, zeroCost: 500, isKernelC: true, isSpread: false),
        World(
            testDescription: "kernel C, mostly zeros in a row", windows: windows(20_000) { $0 % 100 == 0 ? 4096 : 0 },
            dataCost: 10_000, zeroCost: 300, isKernelC: true, isSpread: false),
        World(
            testDescription: "a disk that becomes slower", windows: windows(4000) { _ in 4096 }, dataCost: 4000,
            zeroCost: 100, change: (0.4, 3)),
        World(
            testDescription: "a disk that becomes faster", windows: windows(4000) { _ in 4096 }, dataCost: 6000,
            zeroCost: 100, change: (0.5, 0.4)),
    ]

    /// The estimates that a kernel would have printed, one each second, and their times.
    private func estimates(_ world: World) -> (
        estimates: [(time: Double, estimate: Progress.Estimate)], end: Double, changed: Double
    ) {
        let windows = world.isSpread ? spread(world.windows) : world.windows
        let totalData = windows.reduce(0, +), total = UInt64(windows.count) * 4096
        var work = PageWork(totalPages: total, totalDataPages: world.isKernelC ? totalData : nil)
        var progress = Progress(verb: "working")
        var estimates: [(Double, Progress.Estimate)] = []
        var time = 0.0, nextLook = 0.4, changed = 0.0
        for (number, data) in windows.enumerated() {
            // Pages are counted in pieces of a chunk.
            var left = (data: data, zero: 4096 - data)
            while left.data + left.zero > 0 {
                let piece = (data: min(left.data, 256), zero: left.data > 0 ? 0 : min(left.zero, 256))
                var cost = Double(piece.data) * world.dataCost + Double(piece.zero) * world.zeroCost
                if let change = world.change, Double(number) / Double(windows.count) >= change.at {
                    cost *= change.factor
                    if changed == 0 { changed = time }
                }
                time += cost / 1e9
                left = (left.data - piece.data, left.zero - piece.zero)
                while time > nextLook {
                    if let estimate = progress.estimate(work, at: UInt64(nextLook * 1000) + 5_000_000) {
                        estimates.append((nextLook, estimate))
                    }
                    nextLook += 1
                }
                work.dataPages += piece.data
                work.zeroPages += piece.zero
            }
        }
        #expect(work.dataPages == totalData && work.dataPages + work.zeroPages == total)
        let last = progress.estimate(work, at: UInt64(time * 1000) + 5_000_001)
        #expect(last?.percent == 100 && last?.dataBytes == totalData * pageSize)
        return (estimates, time, changed)
    }

    /// After the first two seconds, and after the time over which the rate is taken when it has changed.
    @Test(arguments: worlds) func estimatesTheTimeLeftWithinAFifth(world: World) {
        let (estimates, end, changed) = estimates(world)
        #expect(estimates.count > 5, "it took \(end) s")
        var previous: UInt64 = 0
        for (time, estimate) in estimates {
            #expect(estimate.percent < 100, "it is not done at \(time) s of \(end) s")
            #expect(estimate.percent + 2 >= previous, "it has gone back at \(time) s of \(end) s")
            previous = estimate.percent
            // Nobody knows before that a disk will become slower.
            if time < 2 || world.change != nil && time < changed + 9 { continue }
            let left = end - time
            let predicted = Double(estimate.millisecondsLeft ?? 0) / 1000
            #expect(
                abs(predicted - left) <= max(left / 5, 1), "at \(time) s: \(predicted) s, where it was \(left) s")
        }
    }

    /// The kind of a machine with 512 GiB, of which 8 GiB hold something: it was "99 %, 1 s left" for nearly all the time.
    @Test func countsOnlyPagesThatAreMoved() {
        var progress = Progress(verb: "saving")
        // In kernel B, what is free is not among the pages.
        var work = PageWork(totalPages: 2 << 20)
        var lines: [String] = []
        for second in 0..<28 as Range<UInt64> {
            work.dataPages = second * (2 << 20) / 28
            if let line = progress.next(work, at: 77_000 + second * 1000) { lines.append(line) }
        }
        #expect(lines.first == "saving: 3 % of 8.0 GiB, 292.5 MiB/s, 27 s left")
        #expect(lines[12] == "saving: 46 % of 8.0 GiB, 292.5 MiB/s, 15 s left")
        #expect(lines.last == "saving: 96 % of 8.0 GiB, 292.5 MiB/s, 1 s left")
    }

    @Test func printsNothingBeforeTheFirstPage() {
        var progress = Progress(verb: "saving")
        #expect(progress.next(PageWork(), at: 0) == nil)
        #expect(progress.next(PageWork(totalPages: 1000), at: 5) == nil, "no rate is known yet")
        #expect(progress.next(PageWork(totalPages: 1000), at: 1005) == "saving: 0 % of 3.9 MiB, 0 B/s")
        let line = progress.next(PageWork(dataPages: 500, totalPages: 1000), at: 2005)
        #expect(line == "saving: 50 % of 3.9 MiB, 1000.0 KiB/s, 2 s left")
        #expect(progress.next(PageWork(dataPages: 1000, totalPages: 1000), at: 3005)?.contains("left") == false)
    }

    /// Also if the pages that are left are too few to change the sum.
    @Test func isNotDoneWhilePagesAreLeft() {
        var progress = Progress(verb: "saving")
        let work = PageWork(
            dataPages: 1 << 60, zeroPages: 128, totalPages: 1 << 60 + 256, totalDataPages: 1 << 60)
        _ = progress.estimate(work, at: 0)
        #expect(progress.estimate(work, at: 1000)?.percent == 99)
    }

    /// Numbers as a damaged image or a child gone wrong could have them.
    @Test func survivesAnyNumbers() {
        let numbers: [UInt64] = [0, 1, 4096, 1 << 40, .max - 1, .max]
        for total in numbers {
            for data in numbers {
                for zero in numbers {
                    for known in [nil, 0, 1, 1 << 50, .max - 1] as [UInt64?] {
                        var progress = Progress(verb: "x")
                        let work = PageWork(dataPages: data, zeroPages: zero, totalPages: total, totalDataPages: known)
                        for now in [0, 1, .max, 5] as [UInt64] {
                            if let estimate = progress.estimate(work, at: now) { #expect(estimate.percent <= 100) }
                        }
                    }
                }
            }
        }
    }

    /// Rates that are not known, too many pages, the largest numbers.
    @Test(
        arguments: [(0, 0), (5, 0), (0, UInt64.max), (UInt64.max, 1), (UInt64.max, UInt64.max)] as [(UInt64, UInt64)])
    func survivesUnknownAndLargestNumbers(pages: UInt64, total: UInt64) {
        var progress = Progress(verb: "saving")
        let first = progress.next(PageWork(totalPages: total), at: 10)
        #expect(first == nil)
        let line = progress.next(PageWork(dataPages: pages, totalPages: total), at: 10)
        #expect((line == nil) == (total == 0))
        if total > 0 { #expect(line?.hasPrefix("saving: ") == true) }
    }
}

extension Progress {
    /// Takes a sample, and returns the line about it.
    fileprivate mutating func next(_ work: PageWork, at now: UInt64) -> String? {
        estimate(work, at: now).map { line($0) }
    }
}
