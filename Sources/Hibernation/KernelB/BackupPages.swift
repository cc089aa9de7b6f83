// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory

/// Finds the pages that kernel A's kexec relocated from below N, by the list beside the jump-back entry.
/// - Parameter entry: the physical address at which kernel A continues.
/// - Throws: if the list is malformed or cannot be read.
func findBackupPages(
    _ core: CoreFile, _ description: ImageDescription, entry: UInt64
) throws(Failure) -> BackupPageMap {
    // The entry and the addresses in the list come from another kernel: `copyPage` checks each of them.
    return try BackupPageMap(
        controlPage: try core.copyPage(at: entry & ~(pageSize - 1)), backupRanges: description.backupRanges
    ) { (address) throws(Failure) in try core.copyPage(at: address) }
}
