// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import Foundation
import Linux

@testable import MemoryImage

/// A disk in memory with a volatile write cache, below the seam that `BlockStore` is.
///
/// Writes are in the cache until a flush. Until then each of their sectors may reach the medium or not, in any order. When
/// the power fails, the sectors that did not are lost (`SimulatedDisk.powerOn`). Reads, writes and flushes fail as planned;
/// a flush that fails may have lost any of what was in the cache, as under Linux. A disk that says that a flush succeeded
/// although it did not is not simulated: no program can be right on it.
///
/// One thread at a time may use it.
final class SimulatedDisk: BlockStore, @unchecked Sendable {
    /// Parts of the disk that may be written.
    enum Writable: Equatable {
        case nothing
        /// Superblocks and everything from the data area up to this byte.
        case partition(end: Int)
        /// Only the data area, as somebody else has written the superblocks.
        case dataArea(end: Int)
        case everything
    }

    struct PendingWrite {
        var offset: Int
        var count: Int
        /// Where the log has the bytes; nil for zeros.
        var source: Int?
    }

    static let capacity = 8 << 20
    static let blockCount = capacity / blockSize

    /// What survives a power cut, and what reads see.
    let medium: Mapping
    let view: Mapping
    /// Writes in the cache, in their order, and their bytes.
    var pending: [PendingWrite] = []
    var log = UnsafeMutableRawPointer.allocate(byteCount: 1 << 20, alignment: 4096)
    var logCapacity = 1 << 20, logCount = 0
    /// Blocks that were ever written.
    var touched: [Int] = []
    var isTouched = [Bool](repeating: false, count: blockCount)

    private(set) var size = 0
    private(set) var sectorSize = 512
    var random = SimulationRandom(seed: 0)
    var plan = DiskPlan()
    var discardManner = DiscardManner.zeros
    var mistake: PlantedMistake?
    var writable = Writable.everything
    /// What libblkid finds.
    var content: String?
    /// Takes a line for each call that changes the disk, if anybody wants to read it.
    var trace: ((String) -> Void)?

    var isOff = false
    /// Whether anything went wrong since the plan was made.
    var wasDisturbed = false
    /// While the simulation looks, nothing goes wrong and nothing counts.
    var isObserved = false
    /// The first thing that nobody may do to a disk.
    var misuse: String?
    /// Changes with the contents of the data area.
    var dataVersion: UInt64 = 0
    private var dataWrites = 0
    /// The superblocks, by the checksums of their blocks, of which one has to count after a power cut.
    var candidates: [UInt64] = []
    /// Superblocks that were written to each slot and may have left it torn.
    var attempts: [[UInt64]] = [[], []]
    var lastSlotWritten: [UInt8] = []

    init() throws {
        medium = try Mapping(anonymous: Self.capacity)
        view = try Mapping(anonymous: Self.capacity)
        super.init(path: "/dev/simulated")
    }

    deinit { log.deallocate() }

    /// A new disk, all zeros.
    func reset(size: Int, sectorSize: Int, seed: UInt64) {
        for block in touched {
            for buffer in [medium.bytes, view.bytes] { clear(buffer, block * blockSize, blockSize) }
            isTouched[block] = false
        }
        touched.removeAll(keepingCapacity: true)
        clearCache()
        self.size = size
        self.sectorSize = sectorSize
        random = SimulationRandom(seed: seed)
        plan = DiskPlan()
        discardManner = .zeros
        mistake = nil
        writable = .everything
        content = nil
        trace = nil
        isOff = false
        wasDisturbed = false
        misuse = nil
        dataVersion &+= 1
        candidates = []
        attempts = [[], []]
        lastSlotWritten = []
    }

    /// Puts bytes onto the medium by another way than the store.
    func preset(_ parts: [(offset: Int, bytes: [UInt8])]) {
        for (offset, bytes) in parts {
            touch(offset, bytes.count)
            for buffer in [medium.bytes, view.bytes] {
                UnsafeMutableRawBufferPointer(rebasing: buffer[offset...]).copyBytes(from: bytes)
            }
        }
        settleCandidates(medium.bytes)
    }

    // MARK: What a store does

    override func byteCount() throws(Failure) -> UInt64 {
        if isOff { throw powerCut("read the size of") }
        return UInt64(size)
    }

    override func contentType() throws(Failure) -> String? {
        if isOff { throw powerCut("probe") }
        return content
    }

    override func eraseSignatures(within range: DeviceRange?) throws(Failure) -> Bool {
        if isOff { throw powerCut("erase the signatures of") }
        content = nil
        return true
    }

    override func read(into buffer: UnsafeMutableRawBufferPointer, at offset: UInt64) throws(Failure) {
        if isOff { throw powerCut("read") }
        let start = try place(offset, buffer.count, UnsafeRawPointer(buffer.baseAddress), "read")
        if let number = failing(.read) { throw Failure("read", path, errno: number) }
        buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: view.bytes[start..<start + buffer.count]))
    }

    override func write(_ buffer: UnsafeRawBufferPointer, at offset: UInt64) throws(Failure) {
        if isOff { throw powerCut("write") }
        var start = try place(offset, buffer.count, buffer.baseAddress, "write")
        let isSlot = Superblock.slotOffsets.contains(offset) && buffer.count == Superblock.byteCount
        let areZeros = isZero(buffer)
        trace?("write \(buffer.count) at \(start)")
        requireWritable(start, buffer.count, areZeros)
        let isCut = nextCallIsCut()
        if let number = failing(.write) {
            // Any part from the beginning on may have arrived.
            store(
                UnsafeRawBufferPointer(rebasing: buffer[..<(random.below(buffer.count / sectorSize + 1) * sectorSize)]),
                at: start)
            if isCut { throw cut("write") }
            if mistake == .writeErrorsIgnored { return }
            throw Failure("write", path, errno: number)
        }
        if isSlot {
            if isDropped(buffer) { return }
            if mistake == .onlySlotZero { start = 0 }
        } else if start >= Int(Superblock.dataOffset) {
            dataWrites += 1
            if mistake == .dataLeftOut, dataWrites % 8 == 0 { return }
        }
        if areZeros { zero(start, buffer.count) } else { store(buffer, at: start) }
        if isSlot, mistake == .dataWrittenOver { zero(Int(Superblock.dataOffset), blockSize) }
        if !isSlot, mistake == .writtenBehindTheEnd, case .partition(let end) = writable, dataWrites % 8 == 0 {
            requireWritable(end, blockSize, false)
        }
        if isCut { throw cut("write") }
    }

    override func flush() throws(Failure) {
        if isOff { throw powerCut("flush") }
        trace?("flush")
        let isCut = nextCallIsCut()
        if let number = failing(.flush) {
            failFlush()
            if isCut { throw cut("flush") }
            if mistake != .flushErrorsIgnored { throw Failure("flush", path, errno: number) }
            return settleCandidates(view.bytes)
        }
        // The power may fail before the flush or after it.
        if !isCut || random.chance(50) { persist() }
        if isCut { throw cut("flush") }
        // What the code above may rely on, whatever mistake there is.
        settleCandidates(view.bytes)
    }

    override func zeroOut(_ bytes: DeviceRange) throws(Failure) {
        if isOff { throw powerCut("write") }
        let start = try place(bytes.lowerBound, Int(bytes.byteCount), nil, "write")
        requireWritable(start, Int(bytes.byteCount), true)
        trace?("zero \(bytes.byteCount) at \(start)")
        let isCut = nextCallIsCut()
        if let number = failing(.write) {
            zero(start, random.below(Int(bytes.byteCount) / sectorSize + 1) * sectorSize)
            if isCut { throw cut("write") }
            if mistake == .writeErrorsIgnored { return }
            throw Failure("write", path, errno: number)
        }
        erase(start, Int(bytes.byteCount))
        if isCut { throw cut("write") }
    }

    override func discard(_ bytes: DeviceRange) -> Bool {
        if isOff || discardManner == .unsupported { return false }
        guard let start = try? place(bytes.lowerBound, Int(bytes.byteCount), nil, "discard") else { return false }
        requireWritable(start, Int(bytes.byteCount), true)
        trace?("discard \(bytes.byteCount) at \(start)")
        let isCut = nextCallIsCut()
        switch discardManner {
        case .unsupported, .nothing: break
        case .zeros: erase(start, Int(bytes.byteCount))
        case .half:
            let middle = Int(bytes.byteCount) / 2 / blockSize * blockSize
            zero(start + middle, Int(bytes.byteCount) - middle)
        }
        if isCut { _ = cut("discard") }
        return !isOff
    }

    private func erase(_ start: Int, _ count: Int) {
        if mistake == .erasureNotFlushed { clear(view.bytes, start, count) } else { zero(start, count) }
    }
}
