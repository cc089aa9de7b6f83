// SPDX-License-Identifier: Apache-2.0
import Basics

/// A Linux kernel in the format for boot loaders. Fields and offsets: Documentation/arch/x86/boot.rst.
public struct BzImage: Sendable {
    /// The whole file.
    public let bytes: [UInt8]
    /// The byte offset in the file of the protected-mode kernel, which extends to the file's end.
    let payloadOffset: Int
    /// The byte offsets of the setup header, the same in the file and in boot_params.
    let setupHeader: Range<Int>
    /// The lowest physical address at which the kernel runs (`pref_address`).
    let preferredAddress: UInt64
    /// The required alignment of the load address, in bytes.
    let alignment: UInt64
    /// The bytes from the load address on that the kernel uses before it reads the memory map (`init_size`).
    public let initByteCount: UInt64
    /// The maximum length of the command line in characters, without the NUL.
    public let commandLineLimit: Int
    /// Whether the kernel can be entered with 5-level page tables (XLF_5LEVEL).
    public let takesFiveLevels: Bool
    /// Whether the kernel uses 5-level page tables on a processor that supports them (XLF_5LEVEL_ENABLED).
    public let usesFiveLevels: Bool

    /// XLF_KERNEL_64, XLF_5LEVEL and XLF_5LEVEL_ENABLED of xloadflags (6.12, arch/x86/include/uapi/asm/bootparam.h).
    private static let entry64Flag: UInt16 = 1, fiveLevelFlag: UInt16 = 1 << 5, fiveLevelEnabledFlag: UInt16 = 1 << 6

    /// The offset of the 64-bit entry point from the load address, in bytes.
    static let entryOffset: UInt64 = 0x200

    /// The kernel's release, as uname(2) would report it (`kernel_version` in the setup header); empty if the file lacks it.
    public var release: String {
        guard let offset = try? bytes.span.bytes.integer(at: 0x20e, as: UInt16.self), offset != 0 else { return "" }
        return bytes.dropFirst(Int(offset) + 0x200).prefix(65).prefix { $0 > 0x20 && $0 < 0x7f }.printable
    }

    var payloadByteCount: Int { bytes.count - payloadOffset }

    /// Parses a kernel.
    /// - Throws: if the file is not a bzImage, has no 64-bit entry point or is not relocatable.
    public init(_ bytes: [UInt8], path: String) throws(Failure) {
        let fields = bytes.span.bytes
        guard bytes.count >= 0x1000, try fields.copy(at: 0x202, count: 4) == Array("HdrS".utf8),
            try fields.integer(at: 0x1fe, as: UInt16.self) == 0xaa55
        else {
            throw Failure(
                "load kernel", path, "it is not a bzImage",
                remedy: "choose one with --kernel; on most systems it is /boot/vmlinuz-RELEASE")
        }
        let remedy = "use a 64-bit, relocatable kernel with CONFIG_KEXEC_JUMP"
        // xloadflags exists since version 2.12 of the protocol.
        guard try fields.integer(at: 0x206, as: UInt16.self) >= 0x020c,
            try fields.integer(at: 0x236, as: UInt16.self) & BzImage.entry64Flag != 0
        else { throw Failure("load kernel", path, "it has no 64-bit entry", remedy: remedy) }
        guard try fields.integer(at: 0x234, as: UInt8.self) != 0 else {
            throw Failure("load kernel", path, "it is not relocatable", remedy: remedy)
        }
        let flags: UInt16 = try fields.integer(at: 0x236)
        takesFiveLevels = flags & BzImage.fiveLevelFlag != 0
        usesFiveLevels = flags & BzImage.fiveLevelEnabledFlag != 0
        // 0 setup sectors means 4. The boot sector is not counted.
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

    /// Refuses a kernel B that would use 4-level page tables if kernel A uses 5 levels: it could not jump back.
    /// - Parameters:
    ///   - hasFiveLevels: whether kernel A uses 5-level page tables.
    ///   - path: the kernel's file, for the message.
    public func requirePageTables(hasFiveLevels: Bool, path: String) throws(Failure) {
        guard hasFiveLevels, !(takesFiveLevels && usesFiveLevels) else { return }
        throw Failure(
            "use kernel", path, "the running kernel uses 5-level page tables, and this one supports only 4 levels",
            remedy: "use --kernel to choose one with CONFIG_X86_5LEVEL, or boot the running kernel with no5lvl")
    }
}
