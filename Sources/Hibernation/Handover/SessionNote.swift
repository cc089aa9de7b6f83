// SPDX-License-Identifier: Apache-2.0
import Basics
import ELF
import Linux
import MemoryImage
import PhysicalMemory

/// Kernel A's description of its session, which reaches kernel B as an ELF note in the core header that kernel A makes
/// (`elfcorehdr=`; 6.12, fs/proc/vmcore.c).
enum SessionNote {
    /// The note's name.
    static let name = "Torpor"

    /// The note, for kernel B.
    /// - Parameter others: bytes of the other notes beside it.
    /// - Throws: if kernel B would not read so many bytes, with the file system that takes the most of them.
    static func write(_ description: ImageDescription, beside others: Int) throws(Failure) -> CoreNote {
        let note = description.encoded()
        try requireReadable(note, description.watchedDevices, beside: others)
        return CoreNote(name: name, content: note)
    }

    /// Refuses a description that kernel B would not read.
    /// - Parameter others: bytes of the other notes.
    static func requireReadable(
        _ note: [UInt8], _ devices: [WatchedDevice], beside others: Int
    ) throws(Failure) {
        // Names, sizes and padding of the notes.
        if note.count + others + 256 <= maximumNoteByteCount { return }
        guard let most = devices.max(by: { $0.extents.count < $1.extents.count }), !most.extents.isEmpty else { return }
        throw Failure(
            "watch", most.user,
            "\(most.extents.count) places on it would show a change; with those of all other file systems kernel B would have to "
                + "read \(describe(bytes: UInt64(note.count))), but it reads only "
                + describe(bytes: UInt64(maximumNoteByteCount)),
            remedy: "unmount it, or turn it off with swapoff")
    }

    /// Reads the description in kernel B.
    /// - Throws: if it is not there, or belongs to another session than kernel B's command line names.
    static func read(_ core: CoreFile, _ session: UUID) throws(Failure) -> ImageDescription {
        guard let note = try core.note(named: name) else {
            throw Failure("read", "/proc/vmcore", "kernel A's description of the session is missing")
        }
        let description = try ImageDescription(decoding: note)
        guard description.session == session else {
            throw Failure("read", "/proc/vmcore", "it belongs to the session \(description.session.description)")
        }
        return description
    }
}
