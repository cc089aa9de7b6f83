// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory
import Testing

@testable import Hibernation

/// What kernels B and C ask of themselves and of the machine.
@Suite struct ResumeChecksTests {
    private var checks: ResumeChecks { ResumeChecks(PluggedMemoryFixture.description) }

    private func refusal(_ own: [PhysicalRange], _ words: String) -> Failure? {
        do throws(Failure) {
            try checks.requireOwnMemoryApart(own, KernelCommandLine(words))
            return nil
        } catch { return error }
    }

    /// Kernel A had `memmap=1M$32M` and kernel C has not: that MiB was not saved, so kernel C may use it.
    @Test func kernelCMayUseMemoryThatIsNotSaved() {
        #expect(refusal([0x1000..<0x9f000, 0x10_0000..<0x800_0000], "mem=128M") == nil)
        #expect(refusal([0x1000..<0x9f000, 0x10_0000..<0x400_0000], "mem=64M") == nil)
        #expect(refusal([0..<0x1000], "") == nil, "not kernel A's memory at all")
    }

    @Test(
        arguments: [
            ("", "boot with mem=128M"), ("mem=1G", "boot with mem=128M"), ("mem=x", "boot with mem=128M"),
            ("mem=128M", "mem= is set already; boot with acpi_no_memhotplug too, and without memmap="),
            ("mem=1G mem=64M", "mem= is set already; boot with acpi_no_memhotplug too, and without memmap="),
        ])
    func kernelCMustStayOutOfTheImage(words: String, remedy: String) {
        let failure = refusal([0x10_0000..<0x800_1000], words)
        #expect(failure?.reason == "kernel C itself uses 0x8000000-0x8001000")
        #expect(failure?.remedy == remedy)
        #expect(
            refusal([0x1000..<0x9f000, PluggedMemoryFixture.plugged], words)?.reason.contains("0x100000000-0x140000000")
                == true)
    }

    /// Kernel B got exactly the backup ranges; anything else is kernel A's, saved or not.
    @Test func kernelBMustStayInItsRanges() throws {
        try checks.requireOwnMemoryInBackup(PluggedMemoryFixture.backup)
        try checks.requireOwnMemoryInBackup([0x20_0000..<0x100_0000])
        for own in [
            [0x10_0000..<0x800_0000], PluggedMemoryFixture.backup + [PluggedMemoryFixture.plugged], [0x9f000..<0xa0000],
        ] as [[PhysicalRange]] {
            let failure = #expect(throws: Failure.self) { try checks.requireOwnMemoryInBackup(own) }
            #expect(failure?.reason.contains("kernel B itself uses") == true)
        }
    }

    /// A driver's memory and a module's count as the kernel's own, at any depth.
    @Test func countsAllOfTheKernelsOwnMemory() throws {
        for name in ["System RAM", "System RAM (kmem)", "System RAM (virtio_mem)"] {
            let own = systemMemory(
                try parseIOMemory(
                    "00100000-07ffffff : System RAM\n100000000-1ffffffff : x\n  100000000-13fffffff : \(name)\n"))
            #expect(refusal(own, "mem=128M") != nil, "\(name)")
        }
    }

    /// The page tables of the jump are kernel B's to try, while nothing is lost.
    @Test func triesTheJumpsPageTables() throws {
        var description = PluggedMemoryFixture.description
        description.memoryRanges.append(32 << 40..<(32 << 40) + 4096)
        description.backupRanges = [0x10_0000..<0x400_0000]
        let checks = ResumeChecks(description)
        #expect(throws: Failure.self) { try checks.jumpBack(hasGibibytePages: false) }
        #expect(throws: Never.self) { _ = try checks.jumpBack(hasGibibytePages: true) }
    }

    @Test func keepsPluggedRangesInTheDescription() throws {
        let description = PluggedMemoryFixture.description
        #expect(try ImageDescription(decoding: description.encoded()) == description)
        // Tag 19, as docs/image-format.md has it.
        var tagged = Array("TorporID".utf8)
        tagged.append(littleEndian: UInt32(19))
        tagged.append(littleEndian: UInt32(16))
        tagged.append(littleEndian: PluggedMemoryFixture.plugged.lowerBound)
        tagged.append(littleEndian: PluggedMemoryFixture.plugged.upperBound)
        #expect(try ImageDescription(decoding: tagged).machine.hotPluggedRanges == [PluggedMemoryFixture.plugged])
    }
}
