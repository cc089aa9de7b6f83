// SPDX-License-Identifier: Apache-2.0
import Fixtures
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// A power cut after every write. The disk may have lost, reordered or torn the writes that were not flushed; kernel C must
    /// find the old state or the new one.
    @Suite(.serialized) struct PowerCutTests {
        @Test func everyCutLeavesTheOldOrTheNewState() throws {
            let lab = try Lab("power-cuts")
            // Without partitions, offsets on the disk are offsets on the hibernation partition.
            let disk = try lab.formattedDisk(isPartitioned: false)
            let empty = try lab.copy(disk, "replay")
            // The second image overwrites the first.
            var a = try lab.sessionMachine(
                disk: disk, mebibytes: 128, before: "expect snapshot hibernate --after return")
            a.disks[0].log = lab.folder.appending(path: "save.img")
            let saved = try lab.run(a)
            saved.expectConsole("torpor: powering off")
            #expect(try lab.superblock(a).state == .ready)

            var replay = try Replay(empty)
            try replay.run(try WriteLog(lab.folder.appending(path: "save.img")))
            print("power cuts while saving: \(replay.summary)")
            #expect(replay.cuts >= 200, "there are too few cuts for a test")
            #expect(replay.states == [.empty, .saving, .snapshot, .saving, .ready])
            #expect(try Tool.run("/usr/bin/cmp", empty.path, disk.path).isEmpty, "the log does not contain all writes")

            // Kernel C boots with the disk as it was during the second save.
            var c = lab.kernelC("cut", like: a)
            c.disks = [Machine.Disk(image: try #require(try replay.copyInTheMiddle(lab)))]
            try lab.run(c).expectNoSession("it holds an incomplete image")

            // The writes of kernel C.
            c = lab.kernelC("c", like: a)
            c.disks[0].log = lab.folder.appending(path: "resume.img")
            let start = try lab.copy(disk, "resumed")
            try lab.run(c).expectSession()
            replay = try Replay(start)
            let log = try WriteLog(lab.folder.appending(path: "resume.img"))
            try replay.run(log)
            print("power cuts while resuming: \(replay.summary)")
            #expect(replay.states == [.ready, .attempted, .consumed])
            #expect(replay.dataWrites == 0, "kernel C has overwritten the image")
            c = lab.kernelC("attempted", like: a)
            c.disks = [Machine.Disk(image: try #require(try replay.copyInTheMiddle(lab)))]
            try lab.run(c).expectNoSession("an earlier resume of its image did not complete")
        }
    }
}

/// A disk on which a log of writes is replayed, with a cut after each write, and a check of the contents at each cut.
private struct Replay {
    /// Checks of the disk with all writes up to the cut.
    private(set) var cuts = 0
    /// Checks with a selection of the writes that were not flushed, some of them torn.
    private(set) var reorderings = 0
    /// Writes behind the superblocks, except those that erase a resumed image.
    private(set) var dataWrites = 0
    private var counts: [Superblock.State: Int] = [:]
    /// The states found, in order.
    private(set) var states: [Superblock.State] = []

    private typealias Write = (offset: UInt64, bytes: Data)
    private let image: URL
    private let disk: ReplayedDisk
    private var random = SeededGenerator(seed: 4)
    /// Writes since the last flush, and the writes that undo each.
    private var open: [(write: Write, undo: [Write])] = []
    /// The last flushed superblock.
    private var durable: Superblock
    /// Verified images, by generation and written data.
    private var verified: Set<[UInt64]> = []
    /// The contents of the superblock slots after the writes so far, by offset.
    private var slots: [UInt64: Data] = [:]
    /// The slots when the last save or the resume had begun.
    private var middle: [UInt64: Data]?

    private static let sectorSize = 512

    init(_ image: URL) throws {
        self.image = image
        disk = try ReplayedDisk(image)
        durable = try HibernationPartition(image.path).superblock
        let file = try FileHandle(forReadingFrom: image)
        for offset in Superblock.slotOffsets {
            try file.seek(toOffset: offset)
            slots[offset] = try file.read(upToCount: Superblock.byteCount)
        }
        states = [durable.state]
    }

    var summary: String {
        "\(cuts) cuts, \(reorderings) with writes reordered, left out or torn; found: "
            + counts.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key) \($0.value)" }
            .joined(separator: ", ")
    }

    mutating func run(_ log: WriteLog) throws {
        for entry in log.entries {
            switch entry {
            case .write(let offset, let bytes):
                open.append(((offset, bytes), try disk.apply([(offset, bytes)])))
                if offset < Superblock.dataOffset {
                    slots[offset] = bytes
                } else if durable.state != .consumed {
                    dataWrites += 1
                }
                cuts += 1
                try look(at: open.map(\.write))
                try reorder()
            case .flush:
                open = []
                durable = try look(at: [])
                if durable.state == .saving || durable.state == .attempted { middle = slots }
            }
        }
    }

    /// Returns a copy of the disk as it was when `saving` or `attempted` had been flushed, to boot kernel C with.
    func copyInTheMiddle(_ lab: Lab) throws -> URL? {
        guard let middle else { return nil }
        let copy = try lab.copy(image, "middle")
        // All later writes are superblocks, and data that these superblocks do not name.
        try ReplayedDisk(copy).apply(middle.map { ($0.key, $0.value) })
        return copy
    }

    /// Checks other selections of the writes that were not flushed: every combination of sectors of a single block.
    private mutating func reorder() throws {
        guard let last = open.last?.write else { return }
        if open.count == 1, open[0].write.bytes.count <= 8 * Self.sectorSize {
            let write = open[0].write
            let sectors = write.bytes.count / Self.sectorSize
            for selection in 0..<1 << sectors {
                try look(withOnly: (0..<sectors).filter { selection >> $0 & 1 == 1 }.map { sector($0, of: write) })
            }
        } else if last.offset < Superblock.dataOffset {
            // The superblock overtakes the data that it names.
            for _ in 0..<8 { try look(withOnly: selection(of: open.dropLast().map(\.write)) + [last]) }
        } else if isTorture || open.count <= 4 || open.count % 16 == 0 {
            try look(withOnly: selection(of: open.map(\.write)))
        }
    }

    /// A random selection of the writes, some of them torn.
    private mutating func selection(of writes: [Write]) -> [Write] {
        writes.filter { _ in Bool.random(using: &random) }.map { write in
            guard Int.random(in: 0..<4, using: &random) == 0 else { return write }
            let sectors = write.bytes.count / Self.sectorSize
            return (write.offset, write.bytes.prefix(Int.random(in: 0..<sectors, using: &random) * Self.sectorSize))
        }
    }

    private func sector(_ number: Int, of write: Write) -> Write {
        let start = write.bytes.startIndex + number * Self.sectorSize
        return (write.offset + UInt64(number * Self.sectorSize), write.bytes[start..<start + Self.sectorSize])
    }

    private mutating func look(withOnly writes: [Write]) throws {
        for (_, undo) in open.reversed() { try disk.apply(undo) }
        let undo = try disk.apply(writes)
        reorderings += 1
        try look(at: writes)
        try disk.apply(undo)
        for (write, _) in open { try disk.apply([write]) }
    }

    /// Checks the disk as kernel C would find it: the superblock is the last flushed one or the next one, and an image that it
    /// names is complete.
    @discardableResult
    private mutating func look(at writes: [Write]) throws -> Superblock {
        let found = try HibernationPartition(image.path).superblock
        counts[found.state, default: 0] += 1
        if states.last != found.state, found.generation > durable.generation { states.append(found.state) }
        #expect(
            found == durable || found.generation == durable.generation + 1,
            "neither the old state nor the new one: generation \(found.generation) after \(durable.generation)")
        if [.empty, .saving, .failed, .consumed].contains(found.state) { return found }
        let data = writes.filter { $0.offset >= Superblock.dataOffset }.map { $0.offset ^ UInt64($0.bytes.count) }
        if verified.insert([found.generation, UInt64(dataWrites)] + data).inserted {
            let reader = try ImageReader(HibernationPartition(image.path))
            try reader.verify()
            #expect(reader.index.imageUUID == found.imageUUID)
        }
        return found
    }
}
