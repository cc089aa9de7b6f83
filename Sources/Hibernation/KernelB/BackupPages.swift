// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory

/// The places of kernel A's pages below N, from the list beside its jump-back entry.
/// - Parameter entry: the physical address at which kernel A goes on.
func findBackupPages(
    _ core: CoreFile, _ description: ImageDescription, entry: UInt64
) throws(Failure) -> BackupPageMap {
    // Both the entry and the addresses in the list are numbers that somebody else has written.
    return try BackupPageMap(
        controlPage: try core.copyPage(at: entry & ~(pageSize - 1)), backupRanges: description.backupRanges
    ) { (address) throws(Failure) in try core.copyPage(at: address) }
}
