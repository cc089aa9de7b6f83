// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Foundation
import Linux
import Synchronization

@testable import MemoryImage

/// How often things happened. A simulation in which they do not happen shows nothing.
struct SimulationStatistics {
    var runs = 0
    var looks = 0
    var powerCuts = 0
    /// Steps in which a read, a write or a flush failed and the power did not.
    var errors = 0
    var saves = 0
    var completeImages = 0
    var resumes = 0
    var erasures = 0
    var formats = 0

    static func + (one: SimulationStatistics, other: SimulationStatistics) -> SimulationStatistics {
        var sum = one
        sum.runs += other.runs
        sum.looks += other.looks
        sum.powerCuts += other.powerCuts
        sum.errors += other.errors
        sum.saves += other.saves
        sum.completeImages += other.completeImages
        sum.resumes += other.resumes
        sum.erasures += other.erasures
        sum.formats += other.formats
        return sum
    }
}

/// Many lives, each from a seed of its own, on all CPUs.
struct Simulation: Sendable {
    struct Finding: Sendable {
        let seed: UInt64
        /// How many seeds come before it.
        let number: Int
        let violation: Violation
    }

    struct Outcome: Sendable {
        var finding: Finding?
        var statistics = SimulationStatistics()
        var milliseconds: UInt64 = 0
    }

    private let golden: [StartImage]

    /// The simulation, ready to run; made once.
    static let shared = Result { () throws in
        Simulation(
            golden: try GoldenFiles.names.filter { $0.hasPrefix("v1-") }.map { try StartImage(golden: $0) })
    }

    private init(golden: [StartImage]) { self.golden = golden }

    /// Runs lives with the seeds from `first` on, until one breaks an invariant.
    func run(first: UInt64, count: Int, mistake: PlantedMistake? = nil) -> Outcome {
        let start = monotonicMilliseconds()
        let next = Atomic<Int>(0)
        let result = Locked(Outcome())
        runConcurrently(min(availableProcessorCount(), count)) { _ in
            guard let bench = try? Bench() else { return }
            var statistics = SimulationStatistics()
            while case let number = next.add(1, ordering: .relaxed).oldValue, number < count {
                let seed = first &+ UInt64(number)
                let life = bench.life(seed, mistake)
                do throws(Violation) { try life.run(golden) } catch {
                    // Of several, the first one, so that it is the same in every run.
                    let finding = Finding(seed: seed, number: number, violation: error)
                    result.withLock { result in
                        if result.finding.map({ $0.number > number }) ?? true { result.finding = finding }
                    }
                    next.store(count, ordering: .relaxed)
                }
                statistics = statistics + life.statistics
                statistics.runs += 1
            }
            result.withLock { $0.statistics = $0.statistics + statistics }
        }
        return result.withLock {
            $0.milliseconds = monotonicMilliseconds() - start
            return $0
        }
    }

    /// What happens in a life, a line for each thing.
    func trace(_ seed: UInt64, mistake: PlantedMistake? = nil) -> [String] {
        guard let bench = try? Bench() else { return [] }
        let life = bench.life(seed, mistake, isTraced: true)
        try? life.run(golden)
        return life.trace
    }

    /// The memory that one thread needs for one life after the other.
    private final class Bench {
        let disk: SimulatedDisk
        let memory = UnsafeMutableRawPointer.allocate(byteCount: 1 << 20, alignment: 4096)
        let scratch = UnsafeMutableRawPointer.allocate(byteCount: blockSize, alignment: 4096)

        init() throws { disk = try SimulatedDisk() }

        deinit {
            memory.deallocate()
            scratch.deallocate()
        }

        func life(_ seed: UInt64, _ mistake: PlantedMistake?, isTraced: Bool = false) -> Life {
            Life(seed: seed, disk: disk, memory: memory, scratch: scratch, mistake: mistake, isTraced: isTraced)
        }
    }
}

extension StartImage {
    /// A golden image.
    init(golden name: String) throws {
        let bytes = try GoldenFiles.bytes(of: name)
        let disk = try SimulatedDisk()
        disk.reset(size: bytes.count, sectorSize: 512, seed: 0)
        disk.preset([(0, bytes)])
        let partition = try HibernationPartition(disk)
        let state = partition.superblock.state
        let isComplete = [.ready, .attempted, .snapshot].contains(state)
        let isUsed = bytes.withUnsafeBytes { bytes in
            stride(from: 0, to: bytes.count, by: blockSize).map { start in
                !isZero(UnsafeRawBufferPointer(rebasing: bytes[start..<start + blockSize]))
            }
        }
        self.init(
            name: name,
            blocks: isUsed.indices.filter { isUsed[$0] }.map { number in
                (number * blockSize, Array(bytes[number * blockSize..<(number + 1) * blockSize]))
            },
            image: isComplete ? try SavedImage.record(ImageReader(partition)) : nil, isPending: state.isPending)
    }
}
