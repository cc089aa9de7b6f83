// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Machines
import MemoryImage
import PhysicalMemory
import Testing

extension MachineTests {
    /// What is on the partition after kernel B has written it.
    @Suite(.serialized) struct Images {
        /// A machine whose session is on its disk, ready to be resumed.
        private func saved(_ lab: Lab, after: String = "poweroff") throws -> Machine {
            var a = try lab.sessionMachine(arguments: "--after \(after)")
            // The kernel's text stays where it was linked to, below N.
            a.commandLine = "nokaslr"
            try lab.run(a).expectConsole("torpor: saved")
            return a
        }

        /// One flipped byte, anywhere that resume reads.
        @Test func refusesADamagedImage() throws {
            let lab = try Lab("damaged")
            let a = try saved(lab)
            let image = a.disks[0].image
            // Its bytes lie behind the partition table.
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
                // The image is kept: everything but the superblocks is as it was.
                try flip(copy, start + offset)
                #expect(try sameData(copy, image, from: start), "\(name): the image has changed")
                // The refusal has cost nothing: whole again, the image is resumed.
                #expect(try lab.superblock(c).state == .ready)
                guard isTorture || name == "chunk-payload" else { continue }
                c.name = "\(name)-again"
                try lab.run(c).expectDone()
            }
        }

        /// Byte offsets on the partition, by the name of what is there.
        private func damagedPlaces(_ lab: Lab, _ image: URL) throws -> [(String, UInt64)] {
            let partition = try lab.hibernationPartition(of: image)
            let superblock = partition.superblock
            let reader = try ImageReader(partition)
            var entries: [ChunkIndex.Entry] = []
            let queue = ChunkQueue(reader)
            while let entry = try queue.take() { entries.append(entry) }
            let first = try #require(entries.first)
            let last = try #require(entries.last { $0.dataPages > 0 })
            // Slots are written in turn, and generation 1 went into the first.
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

        /// Kernel A's banner lies below N, so it is in the image only at another place, which the backup page map tells.
        @Test func recordsTheBackupPageMap() throws {
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

            // In kernel A's own addresses: each page of the backup range with the contents that lie at its source.
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
            #expect(!found.isEmpty, "the banner is not there")
            if let expected = try bannerAddress(VMCoreInfo(description.vmcoreInfo)) {
                #expect(found.contains(expected), "the banner is at \(found), not at \(expected)")
            }
        }

        /// Physical address of the kernel's `linux_banner`, from the symbol table of the test kernel's build; nil for
        /// a kernel that came without one.
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

    /// Takes what was handed out last, when it is filled: before the next, and behind the last of all.
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
