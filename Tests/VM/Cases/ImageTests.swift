// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Machines
import MemoryImage
import PhysicalMemory
import Testing

extension MachineTests {
    /// The contents of the partition after a save.
    @Suite(.serialized) struct ImageTests {
        /// Runs a machine until its session is on its disk.
        private func saved(_ lab: Lab, after: String = "poweroff") throws -> Machine {
            var a = try lab.sessionMachine(arguments: "--after \(after)")
            // The kernel's text stays at its link address, below N.
            a.commandLine = "nokaslr"
            try lab.run(a).expectConsole("torpor: saved")
            return a
        }

        /// One changed byte, at any place that a resume reads.
        @Test func refusesADamagedImage() throws {
            let lab = try Lab("damaged")
            let a = try saved(lab)
            let image = a.disks[0].image
            // The partition begins after the partition table.
            let start = try PartitionedDisk.firstPartition(of: image).lowerBound
            for (name, offset) in try damagedPlaces(lab, image) {
                let copy = try lab.copy(image, "damaged")
                try flip(copy, start + offset)
                var c = lab.kernelC(name, like: a)
                c.disks[0].image = copy
                let result = try lab.run(c)
                result.expectNoSession("torpor: not resuming:")
                if name == "superblock" { continue }
                result.expectConsole("the image is damaged")
                // Kernel C keeps the image: everything except the superblocks is unchanged.
                try flip(copy, start + offset)
                #expect(try sameData(copy, image, from: start), "\(name): the image has changed")
                // The refusal cost nothing: after the repair, kernel C resumes the image.
                #expect(try lab.superblock(c).state == .ready)
                guard isTorture || name == "chunk-payload" else { continue }
                c.name = "\(name)-again"
                try lab.run(c).expectDone()
            }
        }

        /// Byte offsets on the partition, each with the name of the structure there.
        private func damagedPlaces(_ lab: Lab, _ image: URL) throws -> [(String, UInt64)] {
            let partition = try lab.hibernationPartition(of: image)
            let superblock = partition.superblock
            let reader = try ImageReader(partition)
            var entries: [ChunkIndex.Entry] = []
            let queue = ChunkQueue(reader)
            while let entry = try queue.take() { entries.append(entry) }
            let first = try #require(entries.first)
            let last = try #require(entries.last { $0.dataPages > 0 })
            // Slots are written in turn, generation 1 to the first slot.
            let slot = Superblock.slotOffsets[Int((superblock.generation - 1) % 2)]
            return [
                ("superblock", slot + 112),
                ("description", superblock.descriptionExtent.offset + superblock.descriptionExtent.byteCount / 2),
                // An image of less than 2 GiB has one index block, between the description and the table.
                ("index-block", (superblock.indexExtent.offset - 1) / 4096 * 4096),
                ("index", superblock.indexExtent.offset + superblock.indexExtent.byteCount - 1),
                ("chunk-header", first.offset + 128),
                ("chunk-payload", entries[entries.count / 2].offset + UInt64(entries[entries.count / 2].byteCount) / 2),
                ("chunk-padding", last.offset + UInt64(last.byteCount) - 1),
            ]
        }

        private func flip(_ image: URL, _ offset: UInt64) throws {
            let file = try FileHandle(forUpdating: image)
            try file.seek(toOffset: offset)
            let byte = try #require(try file.read(upToCount: 1)?.first)
            try file.seek(toOffset: offset)
            try file.write(contentsOf: Data([byte ^ 0x10]))
            try file.close()
        }

        private func sameData(_ one: URL, _ other: URL, from start: UInt64) throws -> Bool {
            let skip = "\(start + Superblock.dataOffset)"
            return try Tool.run("/usr/bin/cmp", "-i", skip, one.path, other.path).isEmpty
        }

        /// Kernel A's banner is below N, so the image has it at another address. The backup page map has that address.
        @Test(.completeRunOnly) func recordsTheBackupPageMap() throws {
            let lab = try Lab("page-map")
            let a = try saved(lab, after: "return")
            let reader = try ImageReader(try lab.hibernationPartition(of: a.disks[0].image))
            let description = reader.description
            let pages = description.backupRanges.byteCount / pageSize
            #expect(UInt64(description.backupSources.count) == pages)

            var memory = SavedPages()
            let chunks = try reader.makeChunkReader()
            let queue = ChunkQueue(reader)
            while let entry = try queue.take() { _ = try chunks.read(entry, into: &memory) }
            memory.flush()

            // Searches the backup range by kernel A's addresses. The contents of each page are at its source.
            let map = BackupPageMap(sources: description.backupSources)
            let banner = Data("Linux version \(description.kernelRelease) (".utf8)
            let found = description.backupRanges.flatMap { range in
                stride(from: range.lowerBound, to: range.upperBound, by: Int(pageSize)).compactMap {
                    (address: UInt64) -> UInt64? in
                    guard let source = map.location(of: address, backupRanges: description.backupRanges),
                        let page = memory.pages[source], let place = page.range(of: banner)
                    else { return nil }
                    return address + UInt64(place.lowerBound)
                }
            }
            #expect(!found.isEmpty, "the image has no banner")
            if let expected = try bannerAddress(VMCoreInfo(description.vmcoreInfo)) {
                #expect(found.contains(expected), "the banner is at \(found), not at \(expected)")
            }
        }

        /// Physical address of the kernel's `linux_banner`, from the symbol table of the test kernel; nil if the kernel has no
        /// symbol table.
        private func bannerAddress(_ info: VMCoreInfo) throws -> UInt64? {
            guard let table = try? String(contentsOf: Products.symbols, encoding: .utf8) else { return nil }
            let line = try #require(table.split(separator: "\n").first { $0.hasSuffix(" linux_banner") })
            let address = try #require(UInt64(line.prefix(16), radix: 16))
            // __START_KERNEL_map of arch/x86/include/asm/page_64_types.h
            let base = try #require(info.number("phys_base"))
            return address - 0xffff_ffff_8000_0000 &+ UInt64(bitPattern: base)
        }
    }
}

/// The pages of an image, by physical address.
private struct SavedPages: PageSink {
    var pages: [UInt64: Data] = [:]
    private var pending: (address: PhysicalRange, buffer: UnsafeMutableRawBufferPointer)?

    mutating func memory(for addresses: PhysicalRange) throws(Failure) -> UnsafeMutableRawBufferPointer? {
        flush()
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(addresses.byteCount), alignment: 8)
        pending = (addresses, buffer)
        return buffer
    }

    mutating func leaveAlone(_ addresses: PhysicalRange) {}

    /// Stores the pages of the pending buffer. Called when the buffer is full: before the next one, and at the end.
    mutating func flush() {
        guard let (addresses, buffer) = pending else { return }
        for offset in stride(from: 0, to: buffer.count, by: Int(pageSize)) {
            let page = Data(buffer[offset..<offset + Int(pageSize)])
            pages[addresses.lowerBound + UInt64(offset)] = page
        }
        buffer.deallocate()
        pending = nil
    }
}
