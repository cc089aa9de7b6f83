// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation

@testable import Hibernation
@testable import MemoryImage

/// One run of the simulation: the life of a hibernation partition and of the machine that uses it, until something is wrong
/// or some steps are done. Everything follows from the seed.
///
/// `LifeInUse` has what kernels A and B do, `LifeAtBoot` what kernel C does. `LifeChecks` looks at the disk after each
/// step.
final class Life {
    enum MachineState { case off, running }

    let disk: SimulatedDisk
    var random: SimulationRandom
    var machine = MachineState.running
    /// All images that were begun, by UUID.
    var images: [Basics.UUID: SavedImage] = [:]
    /// The image that must be pending now; nil if there may be none.
    var pendingImage: Basics.UUID?
    /// Images that must never be pending again, and those that must not be `ready` in either slot.
    var over: Set<Basics.UUID> = []
    var retired: Set<Basics.UUID> = []
    var resumed: Set<Basics.UUID> = []
    /// Whether the device is to be a hibernation partition; not while somebody formats it or uses it for something else.
    var isOurs = true
    /// Whether an error was planned while the last image was saved.
    var failedSaves: Set<Basics.UUID> = []
    /// Bytes that have to be zeros now, because they were erased in this step.
    var mustBeZero = 0..<0
    /// Bytes in the device when it was formatted.
    var partitionEnd: Int
    /// Whether the device belongs to somebody else for good.
    var isStolen = false
    /// What was verified last: an image and the data version of the disk.
    var verified: (image: Basics.UUID, version: UInt64)?

    /// Memory of kernel A, and a page.
    let memory: UnsafeMutableRawPointer
    let scratch: UnsafeMutableRawPointer

    var statistics = SimulationStatistics()
    /// What happened, if anybody wants to read it.
    let isTraced: Bool
    private(set) var trace: [String] = []

    init(
        seed: UInt64, disk: SimulatedDisk, memory: UnsafeMutableRawPointer, scratch: UnsafeMutableRawPointer,
        mistake: PlantedMistake? = nil, isTraced: Bool = false
    ) {
        self.disk = disk
        self.memory = memory
        self.scratch = scratch
        self.isTraced = isTraced
        random = SimulationRandom(seed: seed)
        let sectorSize = random.pick([512, 512, 4096])
        let odd = sectorSize == 512 ? random.pick([0, 0, 512, 3 * 512]) : 0
        disk.reset(
            size: random.pick([4, 4, 4, 5]) << 20 + odd, sectorSize: sectorSize, seed: random.next())
        disk.mistake = mistake
        partitionEnd = disk.size / blockSize * blockSize
        if isTraced { disk.trace = { [weak self] line in self?.log("    disk: \(line)") } }
    }

    func log(_ text: @autoclosure () -> String) { if isTraced { trace.append(text()) } }

    /// Runs it.
    /// - Parameter golden: images of earlier versions, of which one may be there in the beginning.
    func run(_ golden: [StartImage]) throws(Violation) {
        try begin(golden)
        for _ in 0..<2 + random.below(4) where !isStolen {
            planMishaps()
            switch machine {
            case .off: try boot()
            case .running: try useMachine()
            }
            if disk.isOff { machine = .off }
            try look()
        }
        // Whatever was promised must be on the medium.
        disk.loseCache()
        try look()
    }

    /// What is on the disk in the beginning: nothing, a formatted partition, or an image of an earlier version.
    private func begin(_ golden: [StartImage]) throws(Violation) {
        if !golden.isEmpty, random.chance(12) {
            let start = random.pick(golden)
            log("begins with \(start.name)")
            disk.preset(start.blocks)
            // The device may have grown since.
            partitionEnd = StartImage.byteCount
            if let image = start.image {
                images[image.uuid] = image
                if start.isPending { pendingImage = image.uuid }
            }
        } else if random.chance(15) {
            isOurs = false
            planMishaps()
            format(isForced: false)
        } else {
            let superblock = Superblock(uuid: random.uuid(), label: "", deviceByteCount: UInt64(partitionEnd))
            disk.preset([(0, superblock.encoded())])
        }
        limitWrites()
        try look()
    }

    /// Nothing but the partition may be written now.
    func limitWrites() { disk.writable = isOurs ? .partition(end: partitionEnd) : .everything }

    /// Plans what goes wrong during the next step: a power cut, errors, both or neither.
    private func planMishaps() {
        disk.plan = DiskPlan()
        disk.wasDisturbed = false
        disk.discardManner = random.pick(DiscardManner.allCases)
        if random.chance(50) { disk.plan.callsUntilPowerCut = random.below(random.pick([6, 16, 40])) }
        if random.chance(30) {
            let operation = random.pick([DiskFault.Operation.read, .write, .write, .flush, .flush])
            disk.plan.fault = DiskFault(
                operation: operation, countdown: random.below(operation == .flush ? 6 : 20),
                isPermanent: random.chance(40), errno: operation == .write && random.chance(40) ? ENOSPC : EIO)
        }
    }
}

/// An image of an earlier version to begin with.
struct StartImage {
    let name: String
    /// The blocks that are not zero.
    let blocks: [(offset: Int, bytes: [UInt8])]
    let image: SavedImage?
    let isPending: Bool

    /// Bytes in its partition.
    static let byteCount = 4 << 20
}
