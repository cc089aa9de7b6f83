// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Testing

@testable import Kexec

@Suite struct BzImageTests {
    @Test func readsTheSetupHeader() throws {
        let image = try BzImageFixture().parsed()
        #expect(image.payloadOffset == 2560)
        #expect(image.payloadByteCount == BzImageFixture.payloadByteCount)
        #expect(image.setupHeader == 0x1f1..<0x26e)
        #expect(image.preferredAddress == 16 << 20)
        #expect(image.alignment == 2 << 20)
        #expect(image.initByteCount == 20 << 20)
        #expect(image.commandLineLimit == 2047)
    }

    @Test func readsZeroSetupSectorsAsFour() throws {
        var fixture = BzImageFixture()
        fixture.bytes[0x1f1] = 0
        #expect(try fixture.parsed().payloadOffset == 2560)
    }

    /// A kernel that would leave 5-level page tables, or never had them, cannot jump back into one that has them.
    @Test(
        arguments: [
            (0x61, true, true), (0x21, true, false), (0x41, true, false), (0x01, true, false), (0x61, false, true),
            (0x01, false, true),
        ] as [(UInt16, Bool, Bool)])
    func comparesThePageTables(flags: UInt16, hasFiveLevels: Bool, isRight: Bool) throws {
        var fixture = BzImageFixture()
        fixture.bytes.put(flags, at: 0x236)
        let kernel = try fixture.parsed()
        let failure: Failure?
        do throws(Failure) {
            try kernel.requirePageTables(hasFiveLevels: hasFiveLevels, path: "/boot/other")
            failure = nil
        } catch { failure = error }
        #expect((failure == nil) == isRight)
        if let failure { #expect(failure.operand == "/boot/other" && failure.remedy != nil) }
        #expect(kernel.usesFiveLevels == (flags & 0x40 != 0))
    }

    /// Each mistake, by the reason that is given for it.
    private nonisolated(unsafe) static let mistakes: [(reason: String, change: (inout [UInt8]) -> Void)] = [
        ("it is not a bzImage", { $0[0x202] = 0 }),
        ("it is not a bzImage", { $0[0x1fe] = 0 }),
        ("it is not a bzImage", { $0 = Array($0.prefix(0x260)) }),
        ("it has no 64-bit entry", { $0.put(UInt16(0x020b), at: 0x206) }),
        ("it has no 64-bit entry", { $0.put(UInt16(0x7e), at: 0x236) }),
        ("it is not relocatable", { $0[0x234] = 0 }),
        ("its setup header is damaged", { $0.put(UInt32(0x30_0000), at: 0x230) }),
        ("its setup header is damaged", { $0.put(UInt32(0), at: 0x230) }),
        ("its setup header is damaged", { $0.put(UInt32(1 << 20), at: 0x260) }),
        ("its setup header is damaged", { $0.put(UInt64.max, at: 0x258) }),
        ("its setup header is damaged", { $0.put(UInt8(0xff), at: 0x201) }),
        (
            "its setup header is damaged",
            {
                $0 = Array($0.prefix(0x1000)); $0[0x1f1] = 40
            }
        ),
    ]

    @Test func refusesMalformedKernels() {
        for (reason, change) in Self.mistakes {
            var fixture = BzImageFixture()
            change(&fixture.bytes)
            let failure = #expect(throws: Failure.self) { try fixture.parsed() }
            #expect(failure?.reason == reason)
            #expect(failure?.remedy != nil)
        }
    }

    @Test func readsTheRelease() throws {
        var fixture = BzImageFixture()
        #expect(try fixture.parsed().release == "")
        fixture.bytes.put(UInt16(0x100), at: 0x20e)
        fixture.bytes.put(Array("6.12.117-amd64 (x@y) #1 SMP\0".utf8), at: 0x300, limit: 64)
        #expect(try fixture.parsed().release == "6.12.117-amd64")
        fixture.bytes.put(UInt16.max, at: 0x20e)
        #expect(try fixture.parsed().release.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }, "an offset into the payload")
    }

    /// Every field of the setup header with values that nobody writes: refused, or there is a plan, or none; no trap.
    @Test func survivesEveryByteOfTheSetupHeader() throws {
        let whole = BzImageFixture().bytes
        var accepted = 0
        for i in 0x1f1..<0x270 {
            for value: UInt8 in [0, 1, 0x7f, 0x80, 0xff] {
                var bytes = whole
                bytes[i] = value
                guard let kernel = try? BzImage(bytes, path: "/boot/vmlinuz") else { continue }
                accepted += 1
                #expect(kernel.payloadByteCount > 0 && UInt64(kernel.payloadByteCount) <= kernel.initByteCount)
                #expect(kernel.setupHeader.upperBound <= 0x290, "it would reach into the memory map")
                _ = try? LoadPlan(
                    KexecPayload(
                        kernel: kernel, initrd: [1], commandLine: "", backupRanges: [0x10_0000..<0x800_0000],
                        savedRanges: [], reservedEntries: [], notes: [], rsdp: 0, ownBootParameters: []))
            }
        }
        #expect(accepted > 0)
    }

    @Test func refusesEveryTruncation() {
        let whole = BzImageFixture().bytes
        for count in Array(stride(from: 0, to: 0x1000, by: 61)) + [0x1fe, 0x202, 0x206, 0x264, 0xfff] {
            #expect(throws: Failure.self, "\(count) bytes") { try BzImage(Array(whole.prefix(count)), path: "x") }
        }
    }
}
