// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Console
import Foundation
import Linux
import Testing

@testable import Hibernation
@testable import Kexec
@testable import MemoryImage
@testable import PhysicalMemory

/// Every refusal of kernel C is one that somebody can mend, or one that is certain for ever. A mistake in one direction gives
/// a session up that could go on; in the other a server waits for nothing.
@Suite struct RefusalKindTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func failure(_ body: () throws(Failure) -> Void) -> Failure? {
        do throws(Failure) {
            try body()
            return nil
        } catch { return error }
    }

    /// A refusal whose sentence has the text, and its kind.
    private func expect(
        _ text: String, isFinal: Bool, _ location: SourceLocation = #_sourceLocation,
        _ body: () throws(Failure) -> Void
    ) {
        let found = failure(body)
        #expect(
            found?.description.contains(text) == true, "\(found?.description ?? "no refusal")", sourceLocation: location
        )
        #expect(found?.isFinal == isFinal, "\(text)", sourceLocation: location)
    }

    private func description() -> ImageDescription {
        var description = ImageDescription()
        description.backupRanges = [0x1000..<0x9f000, 0x10_0000..<0x800_0000]
        description.memoryRanges = description.backupRanges + [0x800_0000..<0x1000_0000]
        description.machine.firmwareMap = [.init(addresses: 0..<0x9fc00, type: "System RAM")]
        description.machine.processorCount = 4
        description.machine.processorFeatures = [1, 2, 0xff, 0xff, 0, 0, 0]
        description.machine.acpiChecksum = 7
        return description
    }

    @Test func aMismatchOfTheMachineIsNotFinal() {
        let checks = ResumeChecks(description())
        let machine = description().machine
        expect("boot with mem=128M", isFinal: false) { () throws(Failure) in
            try checks.requireOwnMemoryApart([0x10_0000..<0x900_0000], KernelCommandLine(""))
        }
        expect("memory map has changed", isFinal: false) { () throws(Failure) in
            try machine.requireFirmwareMap([FirmwareRange(addresses: 0..<0x9f000, type: "System RAM")])
        }
        expect("memory map has changed", isFinal: false) { () throws(Failure) in try machine.requireFirmwareMap([]) }
        expect("has no memory at", isFinal: false) { () throws(Failure) in try requireMemory([0x1000..<0x2000], in: [])
        }
        expect("CPUs", isFinal: false) { () throws(Failure) in
            try machine.requireProcessors(PresentProcessors(count: 1, isInFirmware: true))
        }
        expect("the processor has changed", isFinal: false) { () throws(Failure) in
            try machine.requireFeatures([1, 2, 0xfe, 0xff, 0, 0, 0])
        }
        expect("the processor has changed", isFinal: false) { () throws(Failure) in
            try machine.requireFeatures([1, 3, 0xff, 0xff, 0, 0, 0])
        }
        expect("ACPI tables", isFinal: false) { () throws(Failure) in try machine.requireACPITables(8) }
        expect("no range of memory is large enough", isFinal: false) { () throws(Failure) in
            _ = try JumpBack(
                entry: 0x900_0000, mapEnd: 0x1000_0000, available: [0x1000..<0x2000], hasGibibytePages: false)
        }
    }

    @Test func aMismatchOfDevicesIsNotFinal() throws {
        expect("no such device", isFinal: false) { () throws(Failure) in
            _ = try findHibernationPartition(.path("/nowhere/disk"), seconds: 0, DeviceCatalog(), naming: "")
        }
        expect("there are several", isFinal: false) { () throws(Failure) in
            throw severalPartitions(["/dev/a", "/dev/b"], naming: "--device")
        }
        let blank = folder.path("blank")
        try Data(count: 4 << 20).write(to: URL(filePath: blank))
        expect("it is not a hibernation partition", isFinal: false) { () throws(Failure) in
            _ = try HibernationPartition(blank)
        }
        let partition = try folder.partition(16 << 20)
        let file = try #require(FileHandle(forUpdatingAtPath: partition.path))
        try file.truncate(atOffset: 8 << 20)
        expect("when it was formatted", isFinal: false) { () throws(Failure) in
            _ = try HibernationPartition(partition.path)
        }
        let reader = try File(blank)
        expect("it ends at byte", isFinal: false) { () throws(Failure) in
            var bytes = [UInt8](repeating: 0, count: 512)
            var failure: Failure?
            bytes.withUnsafeMutableBytes { buffer in
                do throws(Failure) { try reader.read(into: buffer, at: 4 << 20) } catch { failure = error }
            }
            if let failure { throw failure }
        }
    }

    @Test func aNewerTorporMayReadALaterVersion() throws {
        let partition = try folder.partition(4 << 20)
        var block = partition.superblock.encoded()
        block.put(Superblock.version + 1, at: 8)
        block.put(xxh64(block, count: 4088), at: 4088)
        let file = try #require(FileHandle(forUpdatingAtPath: partition.path))
        try file.write(contentsOf: Data(block))
        expect("its format has version", isFinal: false) { () throws(Failure) in
            _ = try HibernationPartition(partition.path)
        }
        try file.seek(toOffset: 0)
        block[4095] ^= 1
        try file.write(contentsOf: Data(block))
        expect("superblocks are damaged", isFinal: true) { () throws(Failure) in
            _ = try HibernationPartition(partition.path)
        }
    }

    /// One page in one chunk; each part of the image is damaged in turn.
    @Test func aDamagedImageStaysDamaged() throws {
        let partition = try folder.partition(4 << 20)
        let writer = try ImageWriter(partition, imageUUID: .zero, codec: .none)
        let builder = try writer.makeChunkBuilder()
        let page = [UInt8](repeating: 0x37, count: 4096)
        try page.withUnsafeBytes { try builder.addData(firstFrame: 0x8000, $0) }
        try builder.flush()
        try writer.finish(ImageDescription(), state: .ready) { 1 }
        let superblock = partition.superblock
        func withDamage(at offset: UInt64, _ body: () throws -> Void) throws {
            let file = try #require(FileHandle(forUpdatingAtPath: partition.path))
            try file.seek(toOffset: offset)
            let byte = try #require(try file.read(upToCount: 1)?.first)
            for value in [byte ^ 0x10, byte] {
                try file.seek(toOffset: offset)
                try file.write(contentsOf: Data([value]))
                if value != byte { try body() }
            }
        }
        for extent in [superblock.descriptionExtent, superblock.indexExtent] {
            try withDamage(at: extent.offset + 24) {
                expect("its checksum is wrong", isFinal: true) { () throws(Failure) in _ = try ImageReader(partition) }
            }
        }
        // The chunk's header and its page, before it is decoded.
        for offset in [0, 24, 4096 + 100] as [UInt64] {
            try withDamage(at: Superblock.dataOffset + offset) {
                expect("the image is damaged", isFinal: true) { () throws(Failure) in
                    try ImageReader(partition).verify()
                }
            }
        }
        #expect(failure { () throws(Failure) in try ImageReader(partition).verify() } == nil)
        // Pages that kernel A never had, and too few of them; a file takes the place of /dev/mem.
        let memory = folder.path("memory")
        #expect(FileManager.default.createFile(atPath: memory, contents: nil))
        try #require(FileHandle(forUpdatingAtPath: memory)).truncate(atOffset: 0x900_2000)
        for (allowed, text) in [
            ([0x900_0000..<0x900_1000], "it is not memory that kernel A saved"),
            ([0x800_0000..<0x800_2000], "do not match kernel A's memory map"),
        ] as [([PhysicalRange], String)] {
            expect(text, isFinal: true) { () throws(Failure) in
                try RestorePipeline(
                    ImageReader(partition), MemoryDevice(memory), allowed: allowed, state: ChildState()
                ).run()
            }
        }
    }

    @Test func attemptedAndIncompleteImagesAreNotResumed() throws {
        let state = try ChildState()
        func isPending(
            _ image: Superblock.State, _ words: String = "", isGivenUp: Bool = false
        ) throws(Failure) -> Bool {
            let parameters = KernelParameters(KernelCommandLine(words))
            var superblock = Superblock(uuid: .zero, label: "", deviceByteCount: 1)
            superblock.state = image
            superblock.reason = "the power went"
            superblock.isGivenUp = isGivenUp
            let steps = StepRunner(state: state, log: KernelLog(), fault: nil)
            return try Restore(parameters: parameters, log: KernelLog(), steps: steps).isPending(superblock, "/dev/x")
        }
        for isGivenUp in [false, true] {
            expect("did not complete (the power went)", isFinal: isGivenUp) { () throws(Failure) in
                _ = try isPending(.attempted, isGivenUp: isGivenUp)
            }
        }
        for (image, text) in [
            (Superblock.State.saving, "it holds an incomplete image"),
            (.failed, "it holds an image of a hibernation that failed"),
        ] {
            expect(text, isFinal: true) { () throws(Failure) in _ = try isPending(image) }
        }
        #expect(try isPending(.ready) && isPending(.attempted, "torpor.retry"))
        for image in [Superblock.State.empty, .consumed, .snapshot] { #expect(try !isPending(image)) }
    }

    /// While the newer copy holds the same image, the session is not lost: a person can name that one.
    @Test func anOlderCopyIsFinalOnlyIfTheNewerOneWentOn() {
        var own = Superblock(uuid: .zero, label: "", deviceByteCount: 1)
        own.state = .ready
        own.generation = 5
        var other = own
        #expect(refusalOfOlderCopy(own, "/dev/a", other, "/dev/b") == nil)
        other.generation = 6
        #expect(refusalOfOlderCopy(own, "/dev/a", other, "/dev/b")?.isFinal == false)
        for change: (inout Superblock) -> Void in [
            { $0.state = .consumed }, { $0.state = .empty },
            { $0.imageUUID = UUID("aaaaaaaa-89ab-4cde-8f01-23456789abcd") ?? .zero },
        ] {
            var other = other
            change(&other)
            #expect(refusalOfOlderCopy(own, "/dev/a", other, "/dev/b")?.isFinal == true)
        }
        other.uuid = UUID("aaaaaaaa-89ab-4cde-8f01-23456789abcd") ?? .zero
        #expect(refusalOfOlderCopy(own, "/dev/a", other, "/dev/b") == nil)
    }

    /// What nobody has classified keeps the session: a failure of a call, a fault, a child that is ended.
    @Test func anUncertainMismatchIsNotFinal() throws {
        #expect(failure { () throws(Failure) in _ = try File("/nowhere") }?.isFinal == false)
        #expect(failure { () throws(Failure) in try Fault("image:error")?.inject() }?.isFinal == false)
        blockChildSignal()
        let parameters = KernelParameters(KernelCommandLine(""))
        func outcome(_ work: (ChildState) throws(Failure) -> Void) -> ChildOutcome {
            runInChild("working", parameters, KernelLog(), work)
        }
        #expect(outcome { _ in kill(processID()) }.ending == nil)
        #expect(outcome { (_) throws(Failure) in throw Failure("a", "b", "c") }.ending == .failed)
        #expect(outcome { (_) throws(Failure) in throw Failure("a", "b", "c", isFinal: true) }.ending == .failedForGood)
        #expect(outcome { $0.answer = 9 }.answer == 9)
    }
}
