// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import PhysicalMemory
import Testing

@testable import Hibernation
@testable import MemoryImage

/// What the tests of kernel B need: a folder, and a formatted partition in it.
protocol SaveFixture {
    var folder: TemporaryFolder { get }
    var partition: HibernationPartition { get }
}

extension SaveFixture {
    static var windows: [PhysicalRange] { SavePipeline.saveRanges([CoreFixture.memory]) }

    func selection(
        _ fixture: CoreFixture, expected: UInt64?, kept: UInt64 = 0, sources: [UInt64] = CoreFixture.sources,
        info: VMCoreInfo = CoreFixture.info
    ) throws -> FreePageFilter {
        let core = try fixture.write(to: folder.path("core"))
        let memory = try KernelMemory(
            core, backupRanges: [CoreFixture.backup], pageMap: BackupPageMap(sources: sources), info: info)
        return try FreePageFilter(
            memory, PageMarks(memory, info: info), ranges: Self.windows,
            expected: expected.map { FreePageCount(free: $0, onCPULists: kept) })
    }

    /// How a window is split; pages are counted from the memory's first.
    func parts(_ selection: FreePageFilter, _ pages: Range<UInt64>) throws -> [String] {
        let start = CoreFixture.memory.lowerBound
        return try selection.split(start + pages.lowerBound * 4096..<start + pages.upperBound * 4096).map { part in
            let pages = (part.addresses.lowerBound - start) / 4096..<(part.addresses.upperBound - start) / 4096
            return "\(pages)" + (part.kind == .saved ? "" : " \(part.kind)")
        }
    }

    /// Saves the memory, puts it back into memory full of something else, and returns that.
    func savedAndRestored(
        _ fixture: CoreFixture, _ windows: [PhysicalRange] = windows, _ selection: FreePageFilter? = nil
    ) throws -> [UInt8] {
        let state = try ChildState()
        let writer = try ImageWriter(partition, imageUUID: .zero, codec: .zstd(level: 1))
        try SavePipeline(
            fixture.write(to: folder.path("core")), writer, ranges: windows, filter: selection, state: state
        ).run()
        try writer.finish(ImageDescription(), state: .ready) { 0 }
        #expect(
            state.pages + state.zeroPages + (selection?.freePages ?? 0) + (selection?.unreadablePages ?? 0)
                == CoreFixture.pageCount,
            "pages that nobody counted, or free ones that somebody did")
        let reader = try ImageReader(partition)
        let counts = partition.superblock.counts
        #expect(counts.dataPages + counts.zeroPages == CoreFixture.pageCount)
        var bytes = [UInt8](repeating: 0x5a, count: fixture.bytes.count)
        try bytes.withUnsafeMutableBytes { buffer in
            let chunks = try reader.makeChunkReader()
            var sink = MemorySink(memory: buffer)
            let queue = ChunkQueue(reader)
            while let entry = try queue.take() { _ = try chunks.read(entry, into: &sink) }
        }
        return bytes
    }

    /// Names the pages that differ; the testing library would look for the shortest way from the one to the other for hours.
    func expectPages(_ memory: [UInt8], _ expected: [UInt8]) {
        #expect(memory.count == expected.count)
        let pages = stride(from: 0, to: min(memory.count, expected.count), by: 4096)
        #expect(pages.filter { memory[$0..<$0 + 4096] != expected[$0..<$0 + 4096] }.map { $0 / 4096 } == [])
    }
}
