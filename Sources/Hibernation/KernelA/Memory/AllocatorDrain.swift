// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

extension Hibernate {
    /// Takes as many free pages as are kept for the first CPU, and gives them back on another; on a machine that ran for
    /// long they are many (mm/page_alloc.c, `zone_highsize`).
    func drainPerCPUList(_ affinity: borrowing ProcessorAffinity) {
        affinity.moveToFirst()
        let pages = try? MemoryReservation(byteCount: FreePageCount.onCPULists(of: 0) &* pageSize)
        affinity.moveToOthers()
        pages?.giveBack()
    }
}
