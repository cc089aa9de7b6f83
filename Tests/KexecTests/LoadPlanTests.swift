// SPDX-License-Identifier: Apache-2.0
import Basics
import ELF
import Linux
import Testing

@testable import Kexec

@Suite struct LoadPlanTests {
    @Test(arguments: PayloadFixture.memories)
    func placesEverythingInTheBackupRanges(backup: [PhysicalRange]) throws {
        let plan = try LoadPlan(kernelB(backup))
        let kernel = try piece(plan, "kernel")
        #expect(kernel.address >= 16 << 20 && kernel.address % (2 << 20) == 0)
        var used = plan.pieces.filter { $0.name != "kernel" }.map(\.addresses)
        // The kernel takes more than its file: nothing may lie there.
        used.append(kernel.address..<kernel.address + 20 << 20)
        for range in used {
            #expect(backup.covers(range))
            #expect(range.lowerBound >= 1 << 20, "low memory is the real-mode trampoline's")
        }
        #expect(used.normalized().byteCount == used.byteCount, "pieces overlap")
        #expect(plan.segments.normalized() == backup, "the segments are the whole backup range")
        #expect(plan.segments == plan.segments.sorted { $0.lowerBound < $1.lowerBound })
        #expect(plan.segments.count <= 16)
        #expect(kernel.bytes.count == BzImageFixture.payloadByteCount)
        let isPayload = kernel.bytes == BzImageFixture().bytes.suffix(BzImageFixture.payloadByteCount)
        #expect(isPayload)
    }

    @Test func leavesSixteenDigitsForTheEntry() throws {
        let plan = try LoadPlan(kernelB(PayloadFixture.bios))
        let line = try piece(plan, "command line")
        let text = String(decoding: line.bytes.dropLast(), as: UTF8.self)
        #expect(line.bytes.last == 0)
        #expect(text.hasPrefix("nokaslr elfcorehdr=0x"))
        #expect(text.hasSuffix(" kexec_jump_back_entry=0x0000000000000000 quiet"))
        let digits = line.address + UInt64(text.utf8.count - 16 - " quiet".utf8.count)
        // The stub's parameters, its last four words: digits, boot_params, entry, stack.
        let stub = try piece(plan, "load stub")
        let parameters = stub.bytes.count - 32
        #expect(try stub.bytes.field(at: parameters) == digits)
        #expect(try stub.bytes.field(at: parameters + 8) == piece(plan, "boot_params").address)
        #expect(try stub.bytes.field(at: parameters + 16) == piece(plan, "kernel").address + 0x200)
        let stack: UInt64 = try stub.bytes.field(at: parameters + 24)
        #expect(stack == stub.address + 4096)
        #expect(plan.entry == stub.address)
        #expect(text.contains("elfcorehdr=0x\(hexadecimal(try piece(plan, "ELF core header").address)) "))
    }

    /// Kernel C gets the whole memory map and no core, and its segments are its own pages only.
    @Test func placesKernelCBelowItsLimit() throws {
        let map = [
            E820Entry(addresses: 0..<0x9fc00, kind: .memory),
            E820Entry(addresses: 0x10_0000..<0x1_0000_0000, kind: .memory),
            E820Entry(addresses: 0xf_0000..<0x10_0000, kind: .reserved),
        ]
        let plan = try LoadPlan(
            KexecPayload(
                kernelC: BzImageFixture().parsed(), initrd: [UInt8](repeating: 0xdd, count: 70_000),
                commandLine: "mem=128M",
                in: PayloadFixture.bios, memoryMap: map, rsdp: 0xf5a40, ownBootParameters: []))
        #expect(!plan.pieces.contains { $0.name == "ELF core header" })
        let line = try piece(plan, "command line")
        #expect(
            String(decoding: line.bytes.dropLast(), as: UTF8.self)
                == "nokaslr kexec_jump_back_entry=0x0000000000000000 mem=128M")
        let page = try piece(plan, "boot_params").bytes
        #expect(page[0x1e8] == 3)
        #expect(try page.field(at: 0x2d0 + 20 + 8) == UInt64(0x1_0000_0000 - 0x10_0000))
        let kernel = try piece(plan, "kernel")
        #expect(plan.segments.contains(kernel.address..<kernel.address + PayloadFixture.kernelByteCount))
        for piece in plan.pieces { #expect(plan.segments.covers(piece.addresses)) }
        #expect(plan.segments.normalized().byteCount == plan.segments.byteCount, "segments overlap")
        for segment in plan.segments {
            #expect(PayloadFixture.bios.covers(segment) && segment.lowerBound >= 1 << 20)
            #expect(segment.lowerBound % 4096 == 0 && segment.upperBound % 4096 == 0)
        }
    }

    /// As kernel B's fs/proc/vmcore.c reads it.
    @Test func describesKernelAsMemory() throws {
        let plan = try LoadPlan(kernelB(PayloadFixture.bios))
        let header = try piece(plan, "ELF core header")
        let core = try CoreReader(table: header.bytes)
        #expect(core.segments.map(\.addresses) == PayloadFixture.saved)
        #expect(core.segments.map(\.fileOffset) == PayloadFixture.saved.map(\.lowerBound))
        let note = try #require(core.notes.first)
        let start = Int(note.offset - header.address)
        #expect(start + Int(note.byteCount) == header.bytes.count)
        let notes = Array(header.bytes[start...])
        #expect(try CoreReader.note(named: "VMCOREINFO", in: notes) == Array("A=1".utf8))
        #expect(try CoreReader.note(named: "Torpor", in: notes) == [1, 2])
    }

    @Test func refusesPayloadsThatDoNotFit() throws {
        #expect(
            try reason(kernelB(PayloadFixture.bios, initrd: 120 << 20))?.contains(
                "do not fit below 128.0 MiB beside the kernel") == true)
        #expect(
            try reason(kernelB([0x1000..<0x9f000, 0x10_0000..<0x200_0000]))?.contains("use a larger --backup-end")
                == true)
        let line = String(repeating: "x", count: 2000)
        #expect(
            try reason(kernelB(PayloadFixture.bios, parameters: line))?.contains("the kernel accepts only 2047") == true
        )
        let pieces: [PhysicalRange] = (0..<17 as Range<UInt64>).map { $0 << 20..<$0 << 20 + 0x8_0000 }
        #expect(
            try reason(kernelB(pieces + [0x200_0000..<0x800_0000]))?.contains(
                "too many for the 16 segments of kexec_load(2)") == true)
    }

    /// kexec_load(2) has too little memory. Kernel A may choose another N; an ordinary start cannot.
    @Test(arguments: [ErrorNumber.outOfMemory, ErrorNumber.invalid]) func saysWhatToDoAboutTooLittleMemory(errno: CInt)
        throws
    {
        let error = Failure("call", "kexec_load", errorText(errno), errno: errno)
        let saving = try LoadPlan(kernelB(PayloadFixture.bios)).explained(error, preservesContext: true)
        #expect(saving.operand == "kernel B" && saving.errno == errno)
        #expect(saving.remedy?.hasSuffix("use a smaller --backup-end") == true)
        let restoring = try LoadPlan(
            KexecPayload(
                kernelC: try BzImageFixture().parsed(), initrd: [1], commandLine: "", in: PayloadFixture.bios,
                memoryMap: [], rsdp: 0, ownBootParameters: [])
        ).explained(error, preservesContext: false)
        #expect(restoring.operand == "kernel C" && restoring.errno == errno)
        #expect(restoring.reason.contains("20.0 MiB"))
        #expect(restoring.remedy == "boot without mem= and memmap=, or start kernel C directly: torpor boot-entry")
    }

    /// Ranges of half a MiB, one in every MiB from the second on, and behind them the kernel's.
    private func fragments(_ count: UInt64, kernelAt start: UInt64) -> [PhysicalRange] {
        (1...count).map { $0 << 20..<$0 << 20 + 0x8_0000 } + [start..<0x800_0000]
    }

    /// kexec_load(2) takes 16 segments; the kernel's range is two where it begins before the kernel.
    @Test(arguments: [(14, 15 << 20, true), (15, 16 << 20, true), (15, 17 << 20, false)] as [(UInt64, UInt64, Bool)])
    func countsTheSegments(count: UInt64, start: UInt64, fits: Bool) throws {
        let backup = fragments(count, kernelAt: start)
        #expect((reason(try plainKernelB(backup)) == nil) == fits)
        guard fits else { return }
        let plan = try LoadPlan(plainKernelB(backup))
        #expect(plan.segments.count == 16)
        #expect(plan.segments.normalized() == backup)
    }

    /// Kernel B would jump back at once.
    @Test func refusesADescriptionThatKernelBDoesNotRead() throws {
        func refusal(_ count: Int) throws -> String? {
            var b = try plainKernelB([0x10_0000..<0x800_0000])
            b.purpose = .saving(
                savedRanges: [0x800_0000..<0x4000_0000],
                notes: [CoreNote(name: "Torpor", content: [UInt8](repeating: 7, count: count))])
            return reason(b)
        }
        // The note's header, and its name with a NUL.
        #expect(try refusal(maximumNoteByteCount - 12 - 8) == nil)
        #expect(try refusal(maximumNoteByteCount - 12 - 7)?.contains("and kernel B reads at most 2.0 MiB") == true)
    }

    @Test func fillsTheCommandLineToItsEnd() throws {
        let empty = try #require(
            try LoadPlan(plainKernelB([0x10_0000..<0x800_0000], parameters: "")).pieces.first {
                $0.name == "command line"
            })
        let room = 2047 - (empty.bytes.count - 1)
        #expect(
            reason(try plainKernelB([0x10_0000..<0x800_0000], parameters: String(repeating: "x", count: room))) == nil)
        let refusal = reason(
            try plainKernelB([0x10_0000..<0x800_0000], parameters: String(repeating: "x", count: room + 1)))
        #expect(refusal?.contains("it has 2048 characters, and the kernel accepts only 2047: xxx") == true)
    }

    /// The kernel runs at 16 MiB or above, at a multiple of 2 MiB, and needs 20 MiB before it looks at the memory map.
    @Test(
        arguments: [
            (0x10_0000..<0x800_0000, 16 << 20), (0x100_0000..<0x800_0000, 16 << 20),
            (0x110_0000..<0x800_0000, 18 << 20), (0x120_1000..<0x800_0000, 20 << 20),
        ] as [(PhysicalRange, UInt64)])
    func alignsTheKernel(range: PhysicalRange, expected: UInt64) throws {
        let plan = try LoadPlan(plainKernelB([range]))
        #expect(plan.pieces.first { $0.name == "kernel" }?.address == expected)
    }

    @Test func takesTheFirstRangeLargeEnoughForTheKernel() throws {
        // The first is a page too short.
        let backup: [PhysicalRange] = [
            0x10_0000..<0x100_0000 + PayloadFixture.kernelByteCount - 4096, 0x400_0000..<0x800_0000,
        ]
        #expect(try LoadPlan(plainKernelB(backup)).pieces.first { $0.name == "kernel" }?.address == 0x400_0000)
        let refusal = reason(try plainKernelB([backup[0]]))
        #expect(refusal?.contains("needs 20.0 MiB of memory above 16.0 MiB") == true)
    }

    /// The rest of the range behind the kernel, to the last page.
    @Test func fillsTheMemoryToItsEnd() throws {
        let end = 0x100_0000 + PayloadFixture.kernelByteCount + 1 << 20
        let backup: [PhysicalRange] = [0x10_0000..<0x10_8000, 0x100_0000..<end]
        #expect(reason(try plainKernelB(backup, initrd: 1 << 20)) == nil)
        #expect(reason(try plainKernelB(backup, initrd: 1 << 20 + 1))?.contains("do not fit below 37.0 MiB") == true)
    }

    /// Whatever the memory looks like: everything is in it and nothing lies on something else, or there is a reason.
    @Test func placesEverythingOrNamesAReason() throws {
        var state: UInt64 = 7
        func random(_ limit: UInt64) -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33 % limit
        }
        var placed = 0
        for round in 0..<120 {
            var backup: [PhysicalRange] = []
            var address = random(256) << 12
            for _ in 0...random(6) {
                let count = (1 + random(1 << 12)) << 12 + random(3) << 24
                backup.append(address..<address + count)
                address += count + (1 + random(64)) << 12
            }
            let b = try plainKernelB(backup, initrd: Int(random(4 << 20)) + 1)
            guard let plan = try? LoadPlan(b) else { continue }
            placed += 1
            let kernel = try #require(plan.pieces.first { $0.name == "kernel" })
            let used = plan.pieces.map {
                $0.name == "kernel" ? kernel.address..<kernel.address + PayloadFixture.kernelByteCount : $0.addresses
            }
            #expect(used.allSatisfy { backup.covers($0) && $0.lowerBound >= 1 << 20 }, "round \(round)")
            #expect(used.normalized().byteCount == used.byteCount, "round \(round)")
            #expect(plan.segments.normalized() == backup.normalized(), "round \(round)")
            #expect(plan.segments.byteCount == backup.byteCount, "round \(round)")
        }
        #expect(placed > 20, "the memory made up is too small for a kernel")
    }
}
