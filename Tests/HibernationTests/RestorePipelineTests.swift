// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Fixtures
import Foundation
import MemoryImage
import Testing

@testable import Hibernation
@testable import PhysicalMemory

/// From an image into memory, for which a file stands in.
@Suite struct RestorePipelineTests {
    private let folder: TemporaryFolder
    private static let background: UInt8 = 0x5a
    private static let memoryByteCount = 0x22_0000

    init() throws {
        folder = try TemporaryFolder()
        try SmallImage.write(to: folder.path("image"))
        try Data(repeating: Self.background, count: Self.memoryByteCount).write(
            to: URL(filePath: folder.path("memory")))
    }

    private func restore(allowed: [PhysicalRange] = [SmallImage.memory], _ state: ChildState) throws {
        let reader = try ImageReader(HibernationPartition(folder.path("image")))
        try RestorePipeline(reader, MemoryDevice(folder.path("memory")), allowed: allowed, state: state).run()
    }

    private var memory: [UInt8] { get throws { Array(try Data(contentsOf: URL(filePath: folder.path("memory")))) } }

    /// Nothing but the memory that may be written was.
    private func expectOutsideUntouched() throws {
        let memory = try memory, image = SmallImage.memory
        let outside = memory[..<Int(image.lowerBound)] + memory[Int(image.upperBound)...]
        #expect(outside.allSatisfy { $0 == Self.background }, "memory was written that is not kernel A's")
    }

    @Test func restoresEveryPage() throws {
        let state = try ChildState()
        try restore(state)
        let restored = try memory[Int(SmallImage.memory.lowerBound)..<Int(SmallImage.memory.upperBound)]
        #expect(Array(restored) == SmallImage.contents(background: Self.background))
        try expectOutsideUntouched()
        // Free pages are nobody's work.
        #expect(state.pages == 64 + 32 + 40 + 36 + 16 && state.zeroPages == 32 + 4)
        #expect(state.heartbeat > state.pages + state.zeroPages, "a chunk of free pages is no sign of life")
    }

    @Test(arguments: Forgery.all) func refuses(forgery: Forgery) throws {
        let image = try ForgedImage(folder.path("image"))
        try forgery.make(image)
        try image.write(to: folder.path("image"))
        let state = try ChildState()
        let failure = #expect(throws: Failure.self) { try restore(state) }
        #expect(failure?.description.contains(forgery.restoring) == true, "\(failure?.description ?? "")")
        try expectOutsideUntouched()
    }

    /// Kernel A's memory is more than the image, less, or other.
    @Test(
        arguments: [
            ([0x10_0000..<0x20_1000], "do not match kernel A's memory map"),
            ([0xf_f000..<0x20_0000], "do not match kernel A's memory map"),
            ([0x10_0000..<0x20_0000, 0x21_0000..<0x21_1000], "do not match kernel A's memory map"),
            ([0x10_0000..<0x1f_f000], "kernel A"), ([0x10_1000..<0x20_1000], "it is not memory that kernel A saved"),
            ([0x10_0000..<0x18_0000, 0x18_1000..<0x20_1000], "do not match kernel A's memory map"),
            ([0x10_0000..<0x17_f000, 0x18_0000..<0x20_1000], "it is not memory that kernel A saved"),
        ] as [([PhysicalRange], String)])
    func refusesOtherMemory(allowed: [PhysicalRange], reason: String) throws {
        let state = try ChildState()
        let failure = #expect(throws: Failure.self) { try restore(allowed: allowed, state) }
        #expect(failure?.description.contains(reason) == true, "\(failure?.description ?? "")")
        let memory = try memory
        for page in 0..<Self.memoryByteCount / 4096 {
            let address = UInt64(page) * 4096
            if allowed.contains(where: { $0.contains(address) }) { continue }
            let contents = memory[page * 4096..<page * 4096 + 4096]
            #expect(contents.allSatisfy { $0 == Self.background }, "page \(page) was written")
        }
    }

    @Test func namesMemoryThatCannotBeMapped() throws {
        let reader = try ImageReader(HibernationPartition(folder.path("image")))
        // It opens, and does not map.
        let device = try MemoryDevice("/dev/null"), state = try ChildState()
        let failure = #expect(throws: Failure.self) {
            try RestorePipeline(reader, device, allowed: [SmallImage.memory], state: state).run()
        }
        #expect(failure?.description.contains("/dev/null at 0x100000") == true, "\(failure?.description ?? "")")
    }

    /// What kernel C has to do is known before it begins.
    @Test func expectsThePagesOfTheImage() throws {
        let superblock = try HibernationPartition(folder.path("image")).superblock
        let state = try ChildState()
        state.expectPages(of: superblock)
        #expect(state.work == PageWork(dataPages: 0, zeroPages: 0, totalPages: 188 + 36, totalDataPages: 188))
        try restore(state)
        #expect(state.work == PageWork(dataPages: 188, zeroPages: 36, totalPages: 188 + 36, totalDataPages: 188))
    }
}
