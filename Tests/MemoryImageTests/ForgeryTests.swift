// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Testing

@testable import MemoryImage

/// A reader refuses each kind of damage at each level, with right checksums everywhere else.
@Suite struct ForgeryTests {
    @Test(arguments: Forgery.all) func isRefused(forgery: Forgery) throws {
        let file = try PartitionFile(0)
        try SmallImage.write(to: file.path)
        let image = try ForgedImage(file.path)
        try forgery.make(image)
        try image.write(to: file.path)
        let failure = #expect(throws: Failure.self) { try ImageReader(HibernationPartition(file.path)).verify() }
        #expect(failure?.description.contains(forgery.verifying) == true, "\(failure?.description ?? "")")
    }

    /// If all checksums are computed again and nothing else is changed, nothing is refused.
    @Test func acceptsWhatIsOnlySealedAgain() throws {
        let file = try PartitionFile(0)
        try SmallImage.write(to: file.path)
        let image = try ForgedImage(file.path)
        #expect(try image.entries().count == 5)
        for number in 0..<5 {
            try image.changeChunk(number) { _ in }
            try image.changeHeader(number) { _ in }
            try image.changeEntry(number) { _ in }
        }
        for number in 0..<3 { try image.changeBlock(number) { _ in } }
        image.changeDescription { _ in }
        try image.write(to: file.path)
        let partition = try HibernationPartition(file.path)
        try ImageReader(partition).verify()
        #expect(partition.superblock.counts.freePages == 32 && partition.superblock.counts.zeroPages == 68)
    }

    /// If the description does not name the memory, no page can be missing.
    @Test func verifiesAnImageThatTellsNoMemory() throws {
        let file = try PartitionFile()
        try MemoryFixture(pageCount: 100).write(to: file.formatted(), .lz4)
        try ImageReader(HibernationPartition(file.path)).verify()
    }
}
