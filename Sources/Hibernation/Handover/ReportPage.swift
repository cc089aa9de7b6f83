// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory

/// The report page: a locked page of this process, into which kernel B or C writes the report.
final class ReportPage {
    private let page: Mapping
    let key: [UInt8]
    /// Its physical address when it was allocated.
    let address: UInt64

    /// - Parameter frames: returns the page frame numbers of pages of this process.
    init(
        frames: @escaping (UnsafeMutableRawBufferPointer) throws(Failure) -> [UInt64] = {
            (pages) throws(Failure) in try pageFrames(of: pages)
        }
    ) throws(Failure) {
        self.frames = frames
        key = try randomBytes(Report.keyByteCount)
        let page = try Mapping(anonymous: Int(pageSize))
        try page.lock()
        page.bytes.copyBytes(from: key)
        address = try ReportPage.address(of: page, frames)
        self.page = page
    }

    private let frames: (UnsafeMutableRawBufferPointer) throws(Failure) -> [UInt64]

    /// Whether the page is still at its address: the kernel may migrate even a locked page.
    var isInPlace: Bool { get throws(Failure) { try ReportPage.address(of: page, frames) == address } }

    private static func address(
        of page: borrowing Mapping, _ frames: (UnsafeMutableRawBufferPointer) throws(Failure) -> [UInt64]
    ) throws(Failure) -> UInt64 {
        guard let frame = try frames(page.bytes).first, frame != 0 else {
            throw Failure("find", "the report page", "it is not in memory")
        }
        return frame * pageSize
    }

    func read() throws(Failure) -> Report {
        try Report(decoding: Array(page.bytes[Report.keyByteCount...]))
    }

    /// Offset of kernel A's note for kernel B, in bytes from the beginning of the page; it follows the report.
    private static let noteOffset = 2048

    /// Writes kernel A's counts for kernel B, just before the jump.
    func note(_ note: MemoryNote) {
        for (number, value) in [note.free.free, note.free.onCPULists, note.unreadablePages].enumerated() {
            page.bytes.storeBytes(
                of: value.littleEndian, toByteOffset: ReportPage.noteOffset + number * 8, as: UInt64.self)
        }
    }

    /// Reads kernel A's counts, in kernel B.
    /// - Throws: if the page does not begin with its key.
    static func memoryNote(in memory: KernelMemory, _ description: ImageDescription) throws(Failure) -> MemoryNote {
        let page = try memory.page(description.reportAddress)
        guard page.prefix(Report.keyByteCount).elementsEqual(description.reportKey) else {
            throw Failure("find", "kernel A's count of free pages", "the report page does not begin with its key")
        }
        let fields = page.span.bytes
        return MemoryNote(
            free: FreePageCount(
                free: try fields.integer(at: noteOffset), onCPULists: try fields.integer(at: noteOffset + 8)),
            unreadablePages: try fields.integer(at: noteOffset + 16))
    }
}
