// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Testing

@testable import Kexec

/// A bzImage with nothing but a setup header and a payload.
struct BzImageFixture {
    static let payloadByteCount = 3 << 20
    var bytes = SmallKernel.bytes(payloadByteCount: payloadByteCount)

    func parsed() throws -> BzImage { try BzImage(bytes, path: "/boot/vmlinuz") }
}

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

    @Test func takesNoSetupSectorsForFour() throws {
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
        ("it is no bzImage", { $0[0x202] = 0 }),
        ("it is no bzImage", { $0[0x1fe] = 0 }),
        ("it is no bzImage", { $0 = Array($0.prefix(0x260)) }),
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

    @Test func refusesOthers() {
        for (reason, change) in Self.mistakes {
            var fixture = BzImageFixture()
            change(&fixture.bytes)
            let failure = #expect(throws: Failure.self) { try fixture.parsed() }
            #expect(failure?.reason == reason)
            #expect(failure?.remedy != nil)
        }
    }
}
