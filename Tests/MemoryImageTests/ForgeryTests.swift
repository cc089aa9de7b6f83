// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Testing

@testable import MemoryImage

/// What a verifying reader refuses: each kind of damage at each level, with checksums that are right everywhere else.
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

    /// With all checksums made right and nothing changed, nothing is refused; so it is the change that is.
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

    /// Pages that nobody would find missing, because the description does not say which there are.
    @Test func verifiesAnImageThatTellsNoMemory() throws {
        let file = try PartitionFile()
        try MemoryFixture(pageCount: 100).write(to: file.formatted(), .lz4)
        try ImageReader(HibernationPartition(file.path)).verify()
    }
}
