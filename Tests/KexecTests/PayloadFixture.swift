// SPDX-License-Identifier: Apache-2.0
import Basics
import ELF
import Fixtures
import Testing

@testable import Kexec

/// A bzImage with nothing but a setup header and a payload.
struct BzImageFixture {
    static let payloadByteCount = 3 << 20
    var bytes = SmallKernel.bytes(payloadByteCount: payloadByteCount)

    func parsed() throws -> BzImage { try BzImage(bytes, path: "/boot/vmlinuz") }
}

/// Memory of a kernel A, and the kernel that is loaded into the part below N.
enum PayloadFixture {
    /// Memory as a BIOS gives it, and as OVMF does, with holes below 16 MiB.
    static let bios: [PhysicalRange] = [0x1000..<0x9f000, 0x10_0000..<0x800_0000]
    private static let uefi: [PhysicalRange] = [
        0x1000..<0x9f000, 0x10_0000..<0x80_0000, 0x80_8000..<0x80_b000, 0x80_c000..<0x81_0000, 0x90_0000..<0x800_0000,
    ]
    static let memories = [bios, uefi]
    static let saved: [PhysicalRange] = [0x800_0000..<0x4000_0000, 0x1_0000_0000..<0x1_4000_0000]
    static let reserved = [
        E820Entry(addresses: 0x4000_0000..<0x4001_0000, kind: .acpiTables),
        E820Entry(addresses: 0x9fc00..<0x10_0000, kind: .reserved),
    ]
    /// Bytes that the kernel takes before it looks at the memory map (`init_size`).
    static let kernelByteCount: UInt64 = 20 << 20
}

/// Kernel B with everything that a kernel A hands over.
func kernelB(
    _ backup: [PhysicalRange], initrd: Int = 1 << 20, parameters: String = "quiet"
) throws -> KexecPayload {
    KexecPayload(
        kernel: try BzImageFixture().parsed(), initrd: [UInt8](repeating: 0xdd, count: initrd),
        commandLine: parameters, backupRanges: backup, savedRanges: PayloadFixture.saved,
        reservedEntries: PayloadFixture.reserved,
        notes: [
            CoreNote(name: "VMCOREINFO", content: Array("A=1".utf8)), CoreNote(name: "Torpor", content: [1, 2]),
        ],
        rsdp: 0xf5a40, ownBootParameters: [UInt8](repeating: 0x11, count: 4096))
}

/// Kernel B with the least that a plan needs.
func plainKernelB(
    _ backup: [PhysicalRange], initrd: Int = 4096, parameters: String = "quiet", reserved: [E820Entry] = []
) throws -> KexecPayload {
    KexecPayload(
        kernel: try BzImageFixture().parsed(), initrd: [UInt8](repeating: 0xdd, count: initrd),
        commandLine: parameters, backupRanges: backup, savedRanges: [0x800_0000..<0x4000_0000],
        reservedEntries: reserved, notes: [CoreNote(name: "Torpor", content: [1, 2, 3])], rsdp: 0,
        ownBootParameters: [])
}

/// The piece of a plan that has a name, with its bytes as an array.
func piece(_ plan: LoadPlan, _ name: String) throws -> (address: UInt64, addresses: PhysicalRange, bytes: [UInt8]) {
    let piece = try #require(plan.pieces.first { $0.name == name })
    return (piece.address, piece.addresses, Array(piece.bytes))
}

/// Why there is no plan for a payload; nil if there is one.
func reason(_ payload: KexecPayload) -> String? {
    do throws(Failure) {
        _ = try LoadPlan(payload)
        return nil
    } catch { return error.description }
}

extension [UInt8] {
    /// A little-endian field.
    func field<T: FixedWidthInteger & BitwiseCopyable>(at offset: Int, as type: T.Type = T.self) throws -> T {
        try span.bytes.integer(at: offset)
    }
}
