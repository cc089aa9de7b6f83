// SPDX-License-Identifier: Apache-2.0
import Basics
import ELF
import Linux
import MemoryImage
import PhysicalMemory

/// Kernel A's description of its session. Kernel B gets it as an ELF note in the core header that kernel A writes
/// (`elfcorehdr=`; 6.12, fs/proc/vmcore.c).
enum SessionNote {
    /// The note's name.
    static let name = "Torpor"

    /// Makes the note for kernel B.
    /// - Parameter others: bytes of all other notes.
    /// - Throws: if kernel B would refuse notes of this size; the failure names the file system with the most extents.
    static func write(_ description: ImageDescription, beside others: Int) throws(Failure) -> CoreNote {
        let note = description.encoded()
        try requireReadable(note, description.watchedDevices, beside: others)
        return CoreNote(name: name, content: note)
    }

    /// Refuses a description that is larger than kernel B reads.
    /// - Parameter others: bytes of all other notes.
    static func requireReadable(
        _ note: [UInt8], _ devices: [WatchedDevice], beside others: Int
    ) throws(Failure) {
        // 256 bytes for the names, sizes and padding of the notes.
        if note.count + others + 256 <= maximumNoteByteCount { return }
        guard let most = devices.max(by: { $0.extents.count < $1.extents.count }), !most.extents.isEmpty else { return }
        throw Failure(
            "watch", most.user,
            "\(most.extents.count) extents of it must be compared at resume; with all other file systems, the list takes "
                + "\(describe(bytes: UInt64(note.count))), but kernel B reads at most "
                + describe(bytes: UInt64(maximumNoteByteCount)),
            remedy: "unmount it, or turn it off with swapoff")
    }

    /// Reads the description, in kernel B.
    /// - Parameter session: the session that kernel B's command line names.
    /// - Throws: if the note is missing or malformed, or belongs to another session.
    static func read(_ core: CoreFile, _ session: UUID) throws(Failure) -> ImageDescription {
        guard let note = try core.note(named: name) else {
            throw Failure("read", "/proc/vmcore", "kernel A's description of the session is missing")
        }
        let description = try ImageDescription(decoding: note)
        guard description.session == session else {
            throw Failure(
                "read", "/proc/vmcore",
                "kernel A's description is of another session, \(description.session.description)")
        }
        return description
    }
}
