// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

extension Hibernate {
    /// Drains CPU 0's free list (pcplist): takes as many pages as it has, and frees them on another CPU. On a machine that has
    /// run for a long time the list has many pages (6.12, mm/page_alloc.c, `zone_highsize`).
    func drainPerCPUList(_ affinity: borrowing ProcessorAffinity) {
        affinity.moveToFirst()
        let pages = try? MemoryReservation(byteCount: FreePageCount.onCPULists(of: 0) &* pageSize)
        affinity.moveToOthers()
        pages?.release()
    }
}
