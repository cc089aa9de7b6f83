// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The jump back into kernel A, as one kexec segment: page tables for all of A's memory and the local APIC, a word of stack,
/// and the jump stub.
public struct JumpBack {
    /// The contents of the segment.
    let bytes: [UInt8]
    /// The place of the segment.
    let destination: PhysicalRange
    /// The physical address of the stub.
    let entry: UInt64

    /// Prepares the segment.
    /// - Parameters:
    ///   - jumpBackEntry: the physical address at which kernel A continues.
    ///   - mapEnd: physical addresses below this one are mapped when kernel A continues.
    ///   - available: the running kernel's memory, in which the segment is placed.
    ///   - hasGibibytePages: whether the processor supports pages of 1 GiB. With smaller pages, the tables for terabytes of
    ///     addresses may not fit.
    /// - Throws: if kernel A has no memory at the entry, or if no range of `available` is large enough.
    public init(
        entry jumpBackEntry: UInt64, mapEnd: UInt64, available: [PhysicalRange], hasGibibytePages: Bool
    ) throws(Failure) {
        guard jumpBackEntry < mapEnd else {
            throw Failure(
                "prepare", "the jump to 0x\(hexadecimal(jumpBackEntry))", "kernel A has no memory at that address")
        }
        let mapEnd = max(mapEnd, IdentityMap.localAPICEnd)
        let pages: IdentityMap.Pages = hasGibibytePages ? .gibibyte : .mebibytes2
        let tablePages = try IdentityMap.pageCount(end: mapEnd, pages)
        let size = (tablePages + 1) * pageSize
        // The running kernel's real-mode trampoline is in the first MiB.
        let high = available.intersection([1 << 20..<UInt64.max])
        guard let place = high.first(where: { $0.byteCount >= size }) else {
            throw Failure(
                "prepare", "the jump back",
                "no range of memory is large enough for its \(describe(bytes: size)) of page tables",
                remedy: "use a larger --backup-end")
        }
        let map = try IdentityMap(end: mapEnd, address: place.lowerBound, pages)
        let lastPage = place.lowerBound + tablePages * pageSize
        let stub = Stub.jump(
            root4: map.root4, root5: map.root5, stackWord: lastPage + pageSize - 16, entry: jumpBackEntry)
        bytes = map.bytes + stub.bytes
        destination = place.lowerBound..<place.lowerBound + size
        entry = lastPage
    }

    /// Loads the segment as the running kernel's kexec image.
    ///
    /// - Parameter preservesContext: true in kernel B, which was entered with preserved context; false in kernel C.
    public func load(preservesContext: Bool) throws(Failure) {
        var failure: Failure?
        bytes.withUnsafeBytes { content in
            do throws(Failure) {
                try loadKexecImage(
                    entry: entry, [KexecSegment(content: content, destination: destination)],
                    preservesContext: preservesContext)
            } catch { failure = error }
        }
        if let failure { throw failure }
    }
}
