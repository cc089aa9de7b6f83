// SPDX-License-Identifier: Apache-2.0
import Basics

/// A Linux kernel as a boot loader gets it. Fields and offsets are those of Documentation/arch/x86/boot.rst.
public struct BzImage: Sendable {
    /// The whole file.
    public let bytes: [UInt8]
    /// Byte offset in the file of what is loaded; it goes on to the file's end.
    let payloadOffset: Int
    /// Where the setup header is: in the file, and in boot_params.
    let setupHeader: Range<Int>
    /// The lowest physical address at which the kernel runs, in bytes.
    let preferredAddress: UInt64
    /// What the load address must be a multiple of, in bytes.
    let alignment: UInt64
    /// Bytes from the load address on that the kernel takes before it looks at the memory map.
    public let initByteCount: UInt64
    /// Characters that the command line may have, the NUL not counted.
    public let commandLineLimit: Int
    /// Whether the kernel can be entered with 5-level page tables (XLF_5LEVEL).
    public let takesFiveLevels: Bool
    /// Whether the kernel runs with 5-level page tables on a processor that knows them (XLF_5LEVEL_ENABLED).
    public let usesFiveLevels: Bool

    /// XLF_KERNEL_64, XLF_5LEVEL and XLF_5LEVEL_ENABLED of xloadflags (6.12, arch/x86/include/uapi/asm/bootparam.h).
    private static let entry64Flag: UInt16 = 1, fiveLevelFlag: UInt16 = 1 << 5, fiveLevelEnabledFlag: UInt16 = 1 << 6

    /// The 64-bit entry, in bytes from the load address.
    static let entryOffset: UInt64 = 0x200

    /// Its release as uname(2) would tell it (`kernel_version` of the setup header); empty for a file that does not tell.
    public var release: String {
        guard let offset = try? bytes.span.bytes.integer(at: 0x20e, as: UInt16.self), offset != 0 else { return "" }
        return bytes.dropFirst(Int(offset) + 0x200).prefix(65).prefix { $0 > 0x20 && $0 < 0x7f }.printable
    }

    var payloadByteCount: Int { bytes.count - payloadOffset }

    /// - Throws: where the file is no bzImage, or is one that cannot be entered at 64 bits or be moved.
    public init(_ bytes: [UInt8], path: String) throws(Failure) {
        let fields = bytes.span.bytes
        guard bytes.count >= 0x1000, try fields.copy(at: 0x202, count: 4) == Array("HdrS".utf8),
            try fields.integer(at: 0x1fe, as: UInt16.self) == 0xaa55
        else {
            throw Failure(
                "load kernel", path, "it is no bzImage",
                remedy: "name one with --kernel; on most systems it is /boot/vmlinuz-RELEASE")
        }
        let remedy = "use a 64-bit, relocatable kernel with CONFIG_KEXEC_JUMP"
        // xloadflags, which version 2.12 of the protocol brought.
        guard try fields.integer(at: 0x206, as: UInt16.self) >= 0x020c,
            try fields.integer(at: 0x236, as: UInt16.self) & BzImage.entry64Flag != 0
        else { throw Failure("load kernel", path, "it has no 64-bit entry", remedy: remedy) }
        guard try fields.integer(at: 0x234, as: UInt8.self) != 0 else {
            throw Failure("load kernel", path, "it is not relocatable", remedy: remedy)
        }
        let flags: UInt16 = try fields.integer(at: 0x236)
        takesFiveLevels = flags & BzImage.fiveLevelFlag != 0
        usesFiveLevels = flags & BzImage.fiveLevelEnabledFlag != 0
        // 0 setup sectors means 4; the boot sector comes on top.
        let setupSectors = Int(try fields.integer(at: 0x1f1, as: UInt8.self))
        payloadOffset = ((setupSectors == 0 ? 4 : setupSectors) + 1) * 512
        let headerEnd = 0x202 + Int(try fields.integer(at: 0x201, as: UInt8.self))
        alignment = UInt64(try fields.integer(at: 0x230, as: UInt32.self))
        commandLineLimit = Int(try fields.integer(at: 0x238, as: UInt32.self))
        preferredAddress = try fields.integer(at: 0x258)
        initByteCount = UInt64(try fields.integer(at: 0x260, as: UInt32.self))
        guard payloadOffset < bytes.count, headerEnd >= 0x264, headerEnd <= 0x290, alignment.nonzeroBitCount == 1,
            alignment >= pageSize, preferredAddress <= 1 << 32, initByteCount >= UInt64(bytes.count - payloadOffset)
        else { throw Failure("load kernel", path, "its setup header is damaged", remedy: remedy) }
        setupHeader = 0x1f1..<headerEnd
        self.bytes = bytes
    }

    /// Refuses a kernel that would run with other page tables than kernel A: it could not jump back.
    /// - Parameters:
    ///   - hasFiveLevels: whether kernel A runs with 5-level page tables.
    ///   - path: the kernel's file, for the message.
    public func requirePageTables(hasFiveLevels: Bool, path: String) throws(Failure) {
        guard hasFiveLevels, !(takesFiveLevels && usesFiveLevels) else { return }
        throw Failure(
            "use kernel", path, "the running kernel has 5-level page tables, and this one only knows 4 levels",
            remedy: "name one with CONFIG_X86_5LEVEL with --kernel, or boot the running one with no5lvl")
    }
}
