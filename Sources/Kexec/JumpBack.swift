// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The way back into kernel A, as one kexec segment: page tables for all of A's memory and the local APIC, a word of stack,
/// the jump stub.
public struct JumpBack {
    /// The segment's contents and its place.
    let bytes: [UInt8]
    let destination: PhysicalRange
    /// Physical address of the stub.
    let entry: UInt64

    /// - Parameters:
    ///   - jumpBackEntry: physical address at which kernel A goes on.
    ///   - mapEnd: physical addresses below this are mapped when kernel A goes on.
    ///   - room: memory of the running kernel, in which the segment is put.
    ///   - hasGibibytePages: whether the processor knows pages of 1 GiB; with smaller ones the tables for terabytes of
    ///     addresses may not fit.
    /// - Throws: if kernel A has no memory at the entry, or no range of `room` takes the segment.
    public init(
        entry jumpBackEntry: UInt64, mapEnd: UInt64, room: [PhysicalRange], hasGibibytePages: Bool
    ) throws(Failure) {
        guard jumpBackEntry < mapEnd else {
            throw Failure(
                "prepare", "the jump to 0x\(hexadecimal(jumpBackEntry))", "kernel A has no memory at that address")
        }
        let mapEnd = max(mapEnd, IdentityMap.localAPICEnd)
        let pages: IdentityMap.Pages = hasGibibytePages ? .gibibyte : .mebibytes2
        let tablePages = try IdentityMap.pageCount(end: mapEnd, pages)
        let size = (tablePages + 1) * pageSize
        // The first MiB is left alone: the running kernel's real-mode trampoline is there.
        let high = room.intersection([1 << 20..<UInt64.max])
        guard let place = high.first(where: { $0.byteCount >= size }) else {
            throw Failure(
                "prepare", "the jump back",
                "no range of memory has room for its \(describe(bytes: size)) of page tables",
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
    /// - Parameter preservesContext: what kernel B needs, which was itself jumped into; kernel C does not.
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
