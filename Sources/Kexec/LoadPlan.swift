// SPDX-License-Identifier: Apache-2.0
import Basics
import ELF

/// The places of all parts of a kernel, and the segments for kexec_load(2). This is pure arithmetic.
public struct LoadPlan: Sendable {
    /// Bytes and their physical address.
    struct Piece: Sendable {
        var name: String
        var address: UInt64
        /// The kernel's bytes are a slice of its file, not a copy.
        var bytes: ArraySlice<UInt8>
        var addresses: PhysicalRange { address..<address + UInt64(bytes.count) }
    }

    /// The maximum number of segments of kexec_load(2) (KEXEC_SEGMENT_MAX).
    static let maximumSegments = 16

    let pieces: [Piece]
    /// The destinations of the segments, ascending. For kernel B they are together exactly the backup ranges.
    let segments: [PhysicalRange]
    /// The physical address of the first instruction.
    let entry: UInt64
    /// The loaded kernel's name in messages.
    let name: String
    /// The number of ranges in the loaded kernel's memory map.
    public let memoryMapCount: Int
    /// The number of ranges that every kernel accepts.
    public static let plainMemoryMapCount = 131

    /// - Throws: if the backup ranges are too small or too many, or if the command line is too long.
    public init(_ payload: KexecPayload) throws(Failure) {
        var free = payload.backupRanges
        let kernelAddress = try LoadPlan.placeKernel(payload.kernel, &free)
        let loadedAbove: UInt64 = 1 << 20
        name = payload.name
        var core: CoreWriter?
        if case .saving(let savedRanges, let notes) = payload.purpose {
            core = try CoreWriter(notes: notes, memory: savedRanges)
        }
        let stub = try LoadPlan.place(4096, "the load stub", above: loadedAbove, &free)
        let bootParameters = try LoadPlan.place(BootParameters.byteCount, "boot_params", above: loadedAbove, &free)
        let commandLine = try LoadPlan.place(
            payload.kernel.commandLineLimit + 1, "the command line", above: loadedAbove, &free)
        let coreHeader: PhysicalRange =
            if let core { try LoadPlan.place(core.byteCount, "the ELF core header", above: loadedAbove, &free) } else {
                0..<0
            }
        let initrd: PhysicalRange
        do throws(Failure) {
            initrd = try LoadPlan.place(payload.initrd.count, "the initrd", above: loadedAbove, &free)
        } catch {
            throw Failure(
                "load", "the initrd",
                "its \(describe(bytes: UInt64(payload.initrd.count))) do not fit below "
                    + "\(describe(bytes: payload.backupRanges.last?.upperBound ?? 0)) beside the kernel",
                remedy: "use a larger --backup-end, or Torpor's own rootfs.gz as --initrd")
        }

        // These parameters come first: an open quote or `--` in the administrator's parameters would hide later ones.
        // Without a jump to come back from, the load stub writes the entry 0.
        var text =
            "nokaslr " + (core == nil ? "" : "elfcorehdr=0x\(hexadecimal(coreHeader.lowerBound)) ")
            + "kexec_jump_back_entry=0x"
        let digits = commandLine.lowerBound + UInt64(text.utf8.count)
        text += String(repeating: "0", count: 16) + " " + payload.commandLine
        guard text.utf8.count <= payload.kernel.commandLineLimit else {
            throw Failure(
                "load", "\(payload.name)'s command line",
                "it has \(text.utf8.count) characters, and the kernel accepts only \(payload.kernel.commandLineLimit): "
                    + "\(payload.commandLine)",
                remedy: "shorten --append, or boot the running kernel with fewer of these parameters")
        }

        let e820 = E820Entry.merged(
            core == nil
                ? payload.memoryMap
                : payload.backupRanges.subtracting([coreHeader]).map { E820Entry(addresses: $0, kind: .memory) }
                    + [E820Entry(addresses: coreHeader, kind: .reserved)] + payload.memoryMap)
        memoryMapCount = e820.count
        let setupData = try BootParameters.setupData(e820: e820)
        // Kernel B reserves these pages itself.
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
                    payload.kernel, commandLine: commandLine.lowerBound,
                    initrd: initrd.lowerBound..<initrd.lowerBound + UInt64(payload.initrd.count), e820: e820,
                    setupData: setupDataAddress, rsdp: payload.rsdp, own: payload.ownBootParameters)[...]),
            Piece(name: "command line", address: commandLine.lowerBound, bytes: (Array(text.utf8) + [0])[...]),
            Piece(name: "initrd", address: initrd.lowerBound, bytes: payload.initrd[...]),
            Piece(name: "kernel", address: kernelAddress, bytes: payload.kernel.bytes[payload.kernel.payloadOffset...]),
        ]
        if !setupData.isEmpty {
            pieces.append(Piece(name: "memory map", address: setupDataAddress, bytes: setupData[...]))
        }
        guard let core else {
            self.pieces = pieces
            // The kernel's memory until it reads the map belongs to its segment: kexec keeps its own pages out of it.
            segments = pieces.map { piece in
                let count = piece.address == kernelAddress ? payload.kernel.initByteCount : piece.addresses.byteCount
                return piece.address..<piece.address + (count + pageSize - 1) & ~(pageSize - 1)
            }.sorted { $0.lowerBound < $1.lowerBound }
            return
        }
        pieces.append(
            Piece(
                name: "ELF core header", address: coreHeader.lowerBound,
                bytes: core.encoded(at: coreHeader.lowerBound)[...]))
        self.pieces = pieces
        // The range is split before the kernel, so that the gap between the small pieces and the kernel is not copied as zeros.
        segments = payload.backupRanges.flatMap { range in
            range.contains(kernelAddress) && range.lowerBound < kernelAddress
                ? [range.lowerBound..<kernelAddress, kernelAddress..<range.upperBound] : [range]
        }
        guard segments.count <= LoadPlan.maximumSegments else {
            throw Failure(
                "load", "kernel B",
                "the memory below \(describe(bytes: payload.backupRanges.last?.upperBound ?? 0)) has "
                    + "\(payload.backupRanges.count) ranges, too many for the \(LoadPlan.maximumSegments) segments of "
                    + "kexec_load(2)",
                remedy: "use a smaller --backup-end")
        }
    }

    /// The lowest possible load address of the kernel. Its memory is removed from the free ranges.
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
            "it needs \(describe(bytes: kernel.initByteCount)) of memory above "
                + "\(describe(bytes: kernel.preferredAddress)), and no free range below "
                + "\(describe(bytes: free.last?.upperBound ?? 0)) has that",
            remedy: "use a larger --backup-end")
    }

    /// The lowest free pages at or above an address for `count` bytes. They are removed from the free ranges.
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
        throw Failure("load", name, "no free range has \(describe(bytes: UInt64(count))) for it")
    }
}
