// SPDX-License-Identifier: Apache-2.0
import Basics
import ELF

/// What kernel B is made of.
public struct KexecPayload: Sendable {
    public var kernel: BzImage
    public var initrd: [UInt8]
    /// Words for its command line; what only the plan knows is added to them.
    public var commandLine: String
    /// The memory it lives in: kernel A's System RAM below N, as whole pages, ascending.
    public var backupRanges: [PhysicalRange]
    /// Kernel A's memory, which its /proc/vmcore shows.
    public var savedRanges: [PhysicalRange]
    /// The firmware's ranges that are not memory.
    public var reservedEntries: [E820Entry]
    public var notes: [CoreNote]
    /// Physical address of ACPI's root table, or 0.
    public var rsdp: UInt64
    /// The running kernel's boot_params, or nothing.
    public var ownBootParameters: [UInt8]

    public init(
        kernel: BzImage, initrd: [UInt8], commandLine: String, backupRanges: [PhysicalRange],
        savedRanges: [PhysicalRange], reservedEntries: [E820Entry], notes: [CoreNote], rsdp: UInt64,
        ownBootParameters: [UInt8]
    ) {
        self.kernel = kernel
        self.initrd = initrd
        self.commandLine = commandLine
        self.backupRanges = backupRanges
        self.savedRanges = savedRanges
        self.reservedEntries = reservedEntries
        self.notes = notes
        self.rsdp = rsdp
        self.ownBootParameters = ownBootParameters
    }
}

/// Where everything of kernel B goes: pure arithmetic, from which the segments for kexec_load(2) follow.
public struct LoadPlan: Sendable {
    /// Bytes and the physical address they go to.
    struct Piece: Sendable {
        var name: String
        var address: UInt64
        /// The kernel's are those of its file, not a copy.
        var bytes: ArraySlice<UInt8>
        var addresses: PhysicalRange { address..<address + UInt64(bytes.count) }
    }

    /// kexec_load(2) takes no more (KEXEC_SEGMENT_MAX).
    static let maximumSegments = 16

    let pieces: [Piece]
    /// Destinations, which together are exactly the backup ranges.
    let segments: [PhysicalRange]
    /// Physical address of the first instruction.
    let entry: UInt64
    /// Ranges in kernel B's memory map.
    public let memoryMapCount: Int
    /// Ranges that every kernel takes.
    public static let plainMemoryMapCount = 131

    public init(_ b: KexecPayload) throws(Failure) {
        var free = b.backupRanges
        let kernelAddress = try LoadPlan.placeKernel(b.kernel, &free)
        let loadedAbove: UInt64 = 1 << 20
        let core = try CoreWriter(notes: b.notes, memory: b.savedRanges)
        let stub = try LoadPlan.place(4096, "the load stub", above: loadedAbove, &free)
        let bootParameters = try LoadPlan.place(BootParameters.byteCount, "boot_params", above: loadedAbove, &free)
        let commandLine = try LoadPlan.place(
            b.kernel.commandLineLimit + 1, "the command line", above: loadedAbove, &free)
        let coreHeader = try LoadPlan.place(core.byteCount, "the ELF core header", above: loadedAbove, &free)
        let initrd: PhysicalRange
        do throws(Failure) {
            initrd = try LoadPlan.place(b.initrd.count, "the initrd", above: loadedAbove, &free)
        } catch {
            throw Failure(
                "load", "the initrd",
                "its \(describe(bytes: UInt64(b.initrd.count))) do not fit below "
                    + "\(describe(bytes: b.backupRanges.last?.upperBound ?? 0)) beside the kernel",
                remedy: "use a larger --backup-end, or Torpor's own rootfs.gz as --initrd")
        }

        // In front of what the administrator added: a quote or `--` there would swallow it.
        var text = "nokaslr elfcorehdr=0x\(hexadecimal(coreHeader.lowerBound)) kexec_jump_back_entry=0x"
        let digits = commandLine.lowerBound + UInt64(text.utf8.count)
        text += String(repeating: "0", count: 16) + " " + b.commandLine
        guard text.utf8.count <= b.kernel.commandLineLimit else {
            throw Failure(
                "load", "kernel B's command line",
                "it has \(text.utf8.count) characters, the kernel takes \(b.kernel.commandLineLimit): "
                    + "\(b.commandLine)",
                remedy: "give it fewer words with --append, or boot this kernel with fewer of these words")
        }

        let e820 = E820Entry.merged(
            b.backupRanges.subtracting([coreHeader]).map { E820Entry(addresses: $0, kind: .memory) }
                + [E820Entry(addresses: coreHeader, kind: .reserved)] + b.reservedEntries)
        memoryMapCount = e820.count
        let setupData = try BootParameters.setupData(e820: e820)
        // Kernel B itself keeps these pages from everybody else.
        let setupDataAddress =
            setupData.isEmpty
            ? 0 : try LoadPlan.place(setupData.count, "the memory map", above: loadedAbove, &free).lowerBound

        entry = stub.lowerBound
        let stubBytes = Stub.load(
            digits: digits, bootParameters: bootParameters.lowerBound, entry: kernelAddress + BzImage.entryOffset,
            stackTop: stub.upperBound
        ).bytes
        var pieces = [
            Piece(name: "load stub", address: stub.lowerBound, bytes: stubBytes[...]),
            Piece(
                name: "boot_params", address: bootParameters.lowerBound,
                bytes: BootParameters.encoded(
                    b.kernel, commandLine: commandLine.lowerBound,
                    initrd: initrd.lowerBound..<initrd.lowerBound + UInt64(b.initrd.count), e820: e820,
                    setupData: setupDataAddress, rsdp: b.rsdp, own: b.ownBootParameters)[...]),
            Piece(name: "command line", address: commandLine.lowerBound, bytes: (Array(text.utf8) + [0])[...]),
            Piece(
                name: "ELF core header", address: coreHeader.lowerBound,
                bytes: core.encoded(at: coreHeader.lowerBound)[...]),
            Piece(name: "initrd", address: initrd.lowerBound, bytes: b.initrd[...]),
            Piece(name: "kernel", address: kernelAddress, bytes: b.kernel.bytes[b.kernel.payloadOffset...]),
        ]
        if !setupData.isEmpty {
            pieces.append(Piece(name: "memory map", address: setupDataAddress, bytes: setupData[...]))
        }
        self.pieces = pieces
        // Split before the kernel: what lies between the small pieces and it need not be copied as zeros.
        segments = b.backupRanges.flatMap { range in
            range.contains(kernelAddress) && range.lowerBound < kernelAddress
                ? [range.lowerBound..<kernelAddress, kernelAddress..<range.upperBound] : [range]
        }
        guard segments.count <= LoadPlan.maximumSegments else {
            throw Failure(
                "load", "kernel B",
                "the memory below \(describe(bytes: b.backupRanges.last?.upperBound ?? 0)) is in "
                    + "\(b.backupRanges.count) pieces, and kexec_load takes \(LoadPlan.maximumSegments)",
                remedy: "use a smaller --backup-end")
        }
    }

    /// The kernel's place, taken out of the free ranges: the lowest that it can run at.
    private static func placeKernel(_ kernel: BzImage, _ free: inout [PhysicalRange]) throws(Failure) -> UInt64 {
        for range in free {
            let lowest = max(range.lowerBound, kernel.preferredAddress)
            let address = (lowest + kernel.alignment - 1) & ~(kernel.alignment - 1)
            guard address < range.upperBound, kernel.initByteCount <= range.upperBound - address else { continue }
            free = free.subtracting([address..<address + kernel.initByteCount])
            return address
        }
        throw Failure(
            "load", "the kernel",
            "no range below \(describe(bytes: free.last?.upperBound ?? 0)) has "
                + "\(describe(bytes: kernel.initByteCount)) for it above \(describe(bytes: kernel.preferredAddress))",
            remedy: "use a larger --backup-end")
    }

    /// Whole pages for `count` bytes, taken out of the free ranges: the lowest at or above an address.
    private static func place(
        _ count: Int, _ name: String, above: UInt64, _ free: inout [PhysicalRange]
    ) throws(Failure) -> PhysicalRange {
        let size = (UInt64(count) + pageSize - 1) & ~(pageSize - 1)
        for range in free.wholePages where range.upperBound > above {
            let start = max(range.lowerBound, above)
            guard size > 0, range.upperBound - start >= size else { continue }
            free = free.subtracting([start..<start + size])
            return start..<start + size
        }
        throw Failure("load", name, "there is no room for its \(describe(bytes: UInt64(count)))")
    }
}
