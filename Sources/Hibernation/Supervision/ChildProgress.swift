// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import MemoryImage

extension ChildState {
    /// How far the child is.
    var work: PageWork {
        PageWork(
            dataPages: pages, zeroPages: zeroPages, totalPages: totalPages, totalDataPages: totalDataPages)
    }

    /// Takes what kernel C has to move from what the superblock says of the image.
    func expectPages(of superblock: Superblock) {
        let counts = superblock.counts
        // Version 1 does not tell how many of the pages that are not stored have to be cleared: mostly few.
        let notStored = superblock.version == 1 ? 0 : counts.zeroPages - min(counts.zeroPages, counts.freePages)
        totalDataPages = counts.dataPages
        totalPages = counts.dataPages &+ notStored
    }
}
