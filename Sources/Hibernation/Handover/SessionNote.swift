// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory

/// What kernel A wrote down of its session, from the note in the ELF core header that it made.
func describeSession(_ core: CoreFile, _ session: UUID) throws(Failure) -> ImageDescription {
    guard let note = try core.note(named: sessionNoteName) else {
        throw Failure("read", "/proc/vmcore", "kernel A's description of the session is not there")
    }
    let description = try ImageDescription(decoding: note)
    guard description.session == session else {
        throw Failure("read", "/proc/vmcore", "it belongs to the session \(description.session.description)")
    }
    return description
}

/// The name of the ELF note that carries an `ImageDescription` from kernel A to kernel B.
let sessionNoteName = "Torpor"

/// Where kernel A's pages below N are, from the list beside its jump-back entry.
func findBackupPages(
    _ core: CoreFile, _ description: ImageDescription, entry: UInt64
) throws(Failure) -> BackupPageMap {
    // Both the entry and the addresses in the list are numbers that somebody else has written.
    return try BackupPageMap(
        controlPage: try core.copyPage(at: entry & ~(pageSize - 1)), backupRanges: description.backupRanges
    ) { (address) throws(Failure) in try core.copyPage(at: address) }
}
