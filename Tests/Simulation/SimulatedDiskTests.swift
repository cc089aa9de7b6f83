// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@testable import MemoryImage

/// The simulated disk itself: what it keeps, what it loses, and how it fails.
@Suite final class SimulatedDiskTests {
    private let disk: SimulatedDisk
    private let buffer: Mapping

    init() throws {
        disk = try SimulatedDisk()
        buffer = try Mapping(anonymous: 1 << 16)
        disk.reset(size: 4 << 20, sectorSize: 512, seed: 1)
    }

    private func write(_ byte: UInt8, _ count: Int = 4096, at offset: UInt64) throws(Failure) {
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count])
        part.initializeMemory(as: UInt8.self, repeating: byte)
        try disk.write(UnsafeRawBufferPointer(part), at: offset)
    }

    private func read(_ count: Int = 4096, at offset: UInt64) throws(Failure) -> [UInt8] {
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count])
        try disk.read(into: part, at: offset)
        return Array(part)
    }

    @Test func readsWhatWasWritten() throws {
        try write(1, at: 8192)
        try write(2, 512, at: 8192 + 1024)
        let bytes = try read(8192, at: 8192)
        #expect(bytes[..<1024].allSatisfy { $0 == 1 } && bytes[1024..<1536].allSatisfy { $0 == 2 })
        #expect(bytes[1536..<4096].allSatisfy { $0 == 1 } && bytes[4096...].allSatisfy { $0 == 0 })
    }

    /// What was flushed survives every power cut. Of the rest each sector is old or new, and every mixture is possible.
    @Test func aPowerCutLosesSectorsThatWereNotFlushed() throws {
        var mixtures: Set<[UInt8]> = []
        for seed: UInt64 in 0..<400 {
            disk.reset(size: 4 << 20, sectorSize: 512, seed: seed)
            try write(1, at: 8192)
            try disk.flush()
            try write(2, at: 8192)
            try write(3, 2048, at: 8192)
            disk.isOff = true
            #expect(throws: Failure.self) { try read(at: 8192) }
            disk.powerOn()
            let bytes = try read(at: 8192)
            var sectors: [UInt8] = []
            for sector in 0..<8 {
                let part = bytes[sector * 512..<(sector + 1) * 512]
                #expect(Set(part).count == 1, "a sector is torn")
                #expect((1...(sector < 4 ? 3 : 2)).contains(part.first ?? 0))
                sectors.append(part.first ?? 0)
            }
            mixtures.insert(sectors)
        }
        #expect(mixtures.contains([1, 1, 1, 1, 1, 1, 1, 1]) && mixtures.contains([3, 3, 3, 3, 2, 2, 2, 2]))
        #expect(mixtures.contains([2, 2, 2, 2, 2, 2, 2, 2]), "the later write alone was lost")
        #expect(mixtures.contains([3, 3, 3, 3, 1, 1, 1, 1]), "the writes were exchanged")
        #expect(mixtures.count > 50)
    }

    @Test func sectorsOf4KiBAreNotTorn() throws {
        for seed: UInt64 in 0..<50 {
            disk.reset(size: 4 << 20, sectorSize: 4096, seed: seed)
            try write(1, 8192, at: 8192)
            disk.isOff = true
            disk.powerOn()
            #expect(try Set(read(at: 8192)).count == 1 && Set(read(at: 12288)).count == 1)
            disk.reset(size: 4 << 20, sectorSize: 4096, seed: seed)
            #expect(throws: Failure.self) { try write(1, 512, at: 8192) }
        }
    }

    /// The power fails before, within and after each call.
    @Test func thePowerFailsInTheMiddleOfACall() throws {
        var found: Set<Int> = []
        for seed: UInt64 in 0..<100 {
            disk.reset(size: 4 << 20, sectorSize: 512, seed: seed)
            disk.plan.callsUntilPowerCut = 1
            try write(1, at: 8192)
            #expect(throws: Failure.self) { try disk.flush() }
            #expect(disk.isOff && disk.wasDisturbed)
            #expect(throws: Failure.self) { try disk.flush() }
            disk.powerOn()
            found.insert(try read(at: 8192).filter { $0 == 1 }.count / 512)
        }
        #expect(found == Set(0...8))
    }

    @Test(arguments: [true, false]) func aCallFailsOnceOrForEver(isPermanent: Bool) throws {
        disk.plan.fault = DiskFault(operation: .write, countdown: 1, isPermanent: isPermanent, errno: ENOSPC)
        try write(1, at: 8192)
        let failure = #expect(throws: Failure.self) { try write(2, at: 8192) }
        #expect(failure?.errno == ENOSPC)
        #expect(Set(try read(at: 8192)).isSubset(of: [1, 2]))
        if isPermanent {
            #expect(throws: Failure.self) { try write(3, at: 8192) }
        } else {
            try write(3, at: 8192)
            #expect(try read(at: 8192).allSatisfy { $0 == 3 })
        }
        try disk.flush()
    }

    /// A flush that fails may lose what was in the cache, and the next one does not bring it back.
    @Test func aFailedFlushMayLoseTheCache() throws {
        var results: Set<String> = []
        for seed: UInt64 in 0..<200 {
            disk.reset(size: 4 << 20, sectorSize: 512, seed: seed)
            try write(1, at: 8192)
            disk.plan.fault = DiskFault(operation: .flush, countdown: 0, isPermanent: false, errno: EIO)
            #expect(throws: Failure.self) { try disk.flush() }
            let seen = try read(at: 8192)
            try disk.flush()
            disk.loseCache()
            #expect(try read(at: 8192) == seen)
            results.insert(seen.allSatisfy { $0 == 1 } ? "kept" : seen.allSatisfy { $0 == 0 } ? "lost" : "in part")
        }
        #expect(results == ["kept", "lost", "in part"])
    }

    @Test func namesWhatNobodyMayDo() throws {
        func expectMisuse(_ writable: SimulatedDisk.Writable, _ isMisuse: Bool, _ body: () throws -> Void) {
            disk.reset(size: 4 << 20, sectorSize: 512, seed: 1)
            disk.writable = writable
            _ = try? body()
            #expect((disk.misuse != nil) == isMisuse)
        }
        let partition = SimulatedDisk.Writable.partition(end: 3 << 20)
        expectMisuse(partition, false) { try write(1, at: 1 << 20) }
        expectMisuse(partition, false) { for offset in Superblock.slotOffsets { try write(1, at: offset) } }
        expectMisuse(partition, true) { try write(1, at: 4096) }
        expectMisuse(partition, true) { try write(1, 8192, at: 0) }
        expectMisuse(partition, true) { try write(1, at: 2 << 20) }
        expectMisuse(partition, false) { try write(0, at: 2 << 20) }
        expectMisuse(partition, true) { try disk.zeroOut(2 << 20..<(3 << 20) + 512) }
        expectMisuse(.nothing, true) { try write(1, at: 1 << 20) }
        expectMisuse(.everything, true) { try write(1, 100, at: 1 << 20) }
        expectMisuse(.everything, true) { try write(1, at: 100) }
        expectMisuse(.everything, true) { try write(1, at: 4 << 20) }
    }

    @Test(arguments: DiscardManner.allCases) func discardsInEachManner(manner: DiscardManner) throws {
        try write(1, 8192, at: 1 << 20)
        disk.discardManner = manner
        #expect(disk.discard(1 << 20..<(1 << 20) + 8192) == (manner != .unsupported))
        let bytes = try read(8192, at: 1 << 20)
        #expect(bytes[4096...].allSatisfy { $0 == (manner == .zeros || manner == .half ? 0 : 1) })
        #expect(bytes[..<4096].allSatisfy { $0 == (manner == .zeros ? 0 : 1) })
    }
}
