// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The steps of the roles, by the names that the console and `torpor.fault=` use; `rawValue` is that name.
public enum Step: String, CaseIterable, Sendable {
    // Kernel B
    /// The jump back into kernel A is loaded.
    case jumpBack = "jump-back"
    /// /proc/vmcore is opened, and what kernel A wrote down of its session is read.
    case session
    /// This kernel's own memory is compared with kernel A's: nothing of it may be.
    case ownMemory = "own-memory"
    /// The kernel's list of swapped pages is followed.
    case pageMap = "page-map"
    /// Kernel A's free pages are counted.
    case freePages = "free-pages"
    /// The superblock says `saving`.
    case begin
    /// Description and index are written, and the superblock that says `ready`.
    case finish

    // Both
    /// What a resume needs of the machine is checked.
    case machine
    /// The partition is found and opened.
    case partition
    /// What lies on watched devices is summed up.
    case fingerprints
    /// The pages are moved.
    case pages
    /// The report is put into kernel A's memory.
    case report
    /// Nothing is left to do but to tell PID 1 so.
    case end

    // Kernel C
    /// Description and index are read.
    case image
    /// The superblock says `attempted`.
    case attempt
    /// The jump into kernel A is loaded.
    case jump
    /// The superblock says `consumed`.
    case consume

    /// What kernel B does, in this order.
    public static let save: [Step] = [
        .jumpBack, .session, .ownMemory, .machine, .pageMap, .partition, .fingerprints, .freePages, .begin, .pages,
        .finish,
        .end, .report,
    ]
    /// What kernel C does, in this order.
    public static let restore: [Step] = [
        .partition, .image, .machine, .fingerprints, .attempt, .pages, .jump, .report, .consume, .end,
    ]
}
