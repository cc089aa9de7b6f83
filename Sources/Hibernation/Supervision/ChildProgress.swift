// SPDX-License-Identifier: Apache-2.0
import Console
import MemoryImage

extension ChildState {
    /// The progress of the child.
    var work: PageWork {
        PageWork(
            dataPages: pages, zeroPages: zeroPages, totalPages: totalPages, totalDataPages: totalDataPages)
    }

    /// Sets the totals of kernel C's progress from the counts in the superblock.
    func expectPages(of superblock: Superblock) {
        let counts = superblock.counts
        // Version 1 does not count the pages that must be cleared; they are taken as none, because most pages that are not
        // stored were free.
        let notStored = superblock.version == 1 ? 0 : counts.zeroPages - min(counts.zeroPages, counts.freePages)
        totalDataPages = counts.dataPages
        totalPages = counts.dataPages &+ notStored
    }
}
