// SPDX-License-Identifier: Apache-2.0
import Basics
import ELF
import Testing

@testable import Kexec

/// Load plans at the limits of the kernel's interfaces, and over memory of every shape.
@Suite struct LoadPlanLimitTests {
    private static let kernelByteCount: UInt64 = 20 << 20

    private func kernelB(
        _ backup: [PhysicalRange], initrd: Int = 4096, words: String = "quiet", reserved: [E820Entry] = []
    ) throws -> KexecPayload {
        KexecPayload(
            kernel: try BzImageFixture().parsed(), initrd: [UInt8](repeating: 0xdd, count: initrd), commandLine: words,
            backupRanges: backup, savedRanges: [0x800_0000..<0x4000_0000], reservedEntries: reserved,
            notes: [CoreNote(name: "Torpor", content: [1, 2, 3])], rsdp: 0, ownBootParameters: [])
    }

    private func reason(_ b: KexecPayload) -> String? {
        do throws(Failure) {
            _ = try LoadPlan(b)
            return nil
        } catch { return error.description }
    }

    /// Ranges of half a MiB, one in every MiB from the second on, and behind them the kernel's.
    private func fragments(_ count: UInt64, kernelAt start: UInt64) -> [PhysicalRange] {
        (1...count).map { $0 << 20..<$0 << 20 + 0x8_0000 } + [start..<0x800_0000]
    }

    /// kexec_load(2) takes 16 segments; the kernel's range is two where it begins before the kernel.
    @Test(arguments: [(14, 15 << 20, true), (15, 16 << 20, true), (15, 17 << 20, false)] as [(UInt64, UInt64, Bool)])
    func countsTheSegments(count: UInt64, start: UInt64, fits: Bool) throws {
        let backup = fragments(count, kernelAt: start)
        #expect((reason(try kernelB(backup)) == nil) == fits)
        guard fits else { return }
        let plan = try LoadPlan(kernelB(backup))
        #expect(plan.segments.count == 16)
        #expect(plan.segments.normalized() == backup)
    }

    /// boot_params has room for 128 ranges, three of which are ours: below, above and around the core header. The others
    /// follow as setup data, of which nothing is left out.
    @Test(arguments: [125, 126, 200, 1000, 8189] as [UInt64])
    func describesMemoryOfManyRanges(count: UInt64) throws {
        let reserved = (0..<count).map { i in
            let start = 0x1_0000_0000 + i * 8192
            return E820Entry(addresses: start..<start + 4096, kind: .reserved)
        }
        let plan = try LoadPlan(kernelB([0x10_0000..<0x800_0000], reserved: reserved))
        let page = Array(try #require(plan.pieces.first { $0.name == "boot_params" }).bytes)
        let data = plan.pieces.first { $0.name == "memory map" }
        #expect(try page.field(at: 0x250, as: UInt64.self) == data?.address ?? 0)
        var table = Array(page[0x2d0..<0x2d0 + Int(page[0x1e8]) * 20])
        if count == 125 {
            #expect(data == nil)
        } else {
            let bytes = Array(try #require(data).bytes)
            // next, SETUP_E820_EXT, size
            #expect(try bytes.field(at: 0, as: UInt64.self) == 0 && bytes.field(at: 8, as: UInt32.self) == 1)
            #expect(try Int(bytes.field(at: 12, as: UInt32.self)) == bytes.count - 16)
            table += bytes[16...]
        }
        #expect(table.count == 20 * Int(count + 3))
        var found: [PhysicalRange] = []
        for at in stride(from: 0, to: table.count, by: 20) where try table.field(at: at + 16, as: UInt32.self) == 2 {
            let start: UInt64 = try table.field(at: at), size: UInt64 = try table.field(at: at + 8)
            if start >= 1 << 32 { found.append(start..<start + size) }
        }
        #expect(found == reserved.map(\.addresses))
        let used = plan.pieces.map(\.addresses)
        #expect(used.normalized().byteCount == used.byteCount, "pieces overlap")
    }

    @Test func refusesMoreRangesThanTheKernelTakes() throws {
        let reserved = (0..<8190 as Range<UInt64>).map { i in
            E820Entry(addresses: 1 << 32 + i * 8192..<1 << 32 + i * 8192 + 4096, kind: .reserved)
        }
        let refusal = reason(try kernelB([0x10_0000..<0x800_0000], reserved: reserved))
        #expect(refusal?.contains("the memory map has 8193 ranges, more than 8192") == true)
    }

    /// Kernel B would jump back at once.
    @Test func refusesADescriptionThatKernelBDoesNotRead() throws {
        func refusal(_ count: Int) throws -> String? {
            var b = try kernelB([0x10_0000..<0x800_0000])
            b.notes = [CoreNote(name: "Torpor", content: [UInt8](repeating: 7, count: count))]
            return reason(b)
        }
        // The note's header, and its name with a NUL.
        #expect(try refusal(maximumNoteByteCount - 12 - 8) == nil)
        #expect(try refusal(maximumNoteByteCount - 12 - 7)?.contains("and kernel B reads 2.0 MiB") == true)
    }

    @Test func fillsTheCommandLineToItsEnd() throws {
        let empty = try #require(
            try LoadPlan(kernelB([0x10_0000..<0x800_0000], words: "")).pieces.first {
                $0.name == "command line"
            })
        let room = 2047 - (empty.bytes.count - 1)
        #expect(reason(try kernelB([0x10_0000..<0x800_0000], words: String(repeating: "x", count: room))) == nil)
        let refusal = reason(try kernelB([0x10_0000..<0x800_0000], words: String(repeating: "x", count: room + 1)))
        #expect(refusal?.contains("it has 2048 characters, the kernel takes 2047: xxx") == true)
    }

    /// The kernel runs at 16 MiB or above, at a multiple of 2 MiB, and needs 20 MiB before it looks at the memory map.
    @Test(
        arguments: [
            (0x10_0000..<0x800_0000, 16 << 20), (0x100_0000..<0x800_0000, 16 << 20),
            (0x110_0000..<0x800_0000, 18 << 20), (0x120_1000..<0x800_0000, 20 << 20),
        ] as [(PhysicalRange, UInt64)])
    func alignsTheKernel(range: PhysicalRange, expected: UInt64) throws {
        let plan = try LoadPlan(kernelB([range]))
        #expect(plan.pieces.first { $0.name == "kernel" }?.address == expected)
    }

    @Test func takesTheFirstRangeWithRoomForTheKernel() throws {
        // The first is a page too short.
        let backup: [PhysicalRange] = [0x10_0000..<0x100_0000 + Self.kernelByteCount - 4096, 0x400_0000..<0x800_0000]
        #expect(try LoadPlan(kernelB(backup)).pieces.first { $0.name == "kernel" }?.address == 0x400_0000)
        let refusal = reason(try kernelB([backup[0]]))
        #expect(refusal?.contains("has 20.0 MiB for it above 16.0 MiB") == true)
    }

    /// The rest of the range behind the kernel, to the last page.
    @Test func fillsTheMemoryToItsEnd() throws {
        let end = 0x100_0000 + Self.kernelByteCount + 1 << 20
        let backup: [PhysicalRange] = [0x10_0000..<0x10_8000, 0x100_0000..<end]
        #expect(reason(try kernelB(backup, initrd: 1 << 20)) == nil)
        #expect(reason(try kernelB(backup, initrd: 1 << 20 + 1))?.contains("do not fit below 37.0 MiB") == true)
    }

    /// Whatever the memory looks like: everything is in it and nothing lies on something else, or there is a reason.
    @Test func placesEverythingOrSaysWhyNot() throws {
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
            let b = try kernelB(backup, initrd: Int(random(4 << 20)) + 1)
            guard let plan = try? LoadPlan(b) else { continue }
            placed += 1
            let kernel = try #require(plan.pieces.first { $0.name == "kernel" })
            let used = plan.pieces.map {
                $0.name == "kernel" ? kernel.address..<kernel.address + Self.kernelByteCount : $0.addresses
            }
            #expect(used.allSatisfy { backup.covers($0) && $0.lowerBound >= 1 << 20 }, "round \(round)")
            #expect(used.normalized().byteCount == used.byteCount, "round \(round)")
            #expect(plan.segments.normalized() == backup.normalized(), "round \(round)")
            #expect(plan.segments.byteCount == backup.byteCount, "round \(round)")
        }
        #expect(placed > 20, "the memory made up is too small for a kernel")
    }
}
