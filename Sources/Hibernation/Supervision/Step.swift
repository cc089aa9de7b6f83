// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The steps of the roles. `rawValue` is the name on the console and in `torpor.fault=`.
public enum Step: String, CaseIterable, Sendable {
    // Kernel B
    /// Load the jump back into kernel A.
    case jumpBack = "jump-back"
    /// Open /proc/vmcore and read kernel A's description of its session.
    case session
    /// Check that kernel B's own memory is not kernel A's.
    case ownMemory = "own-memory"
    /// Find the pages that kernel A's kexec relocated from below N.
    case pageMap = "page-map"
    /// Find and count kernel A's free pages.
    case freePages = "free-pages"
    /// Write `saving` to the superblock.
    case begin
    /// Write the description and the index, then `ready` to the superblock.
    case finish

    // Both
    /// Load the kernel modules of the initramfs.
    case modules
    /// Check the machine: can kernel C resume here?
    case machine
    /// Find and open the partition.
    case partition
    /// Take or compare the fingerprints of the watched devices.
    case fingerprints
    /// Save or restore the pages.
    case pages
    /// Write the report into kernel A's memory.
    case report
    /// Report the success to PID 1.
    case end

    // Kernel C
    /// Read the description and the index.
    case image
    /// Write `attempted` to the superblock.
    case attempt
    /// Load the jump into kernel A.
    case jump
    /// Write `consumed` to the superblock.
    case consume

    // An ordinary start, before kernel C
    /// Read the kernel and the rootfs.gz from the partition.
    case bootFiles = "boot-files"
    /// Load them as kernel C.
    case load
    /// Count the start of kernel C on the partition.
    case start

    /// Kernel B's steps, in their order.
    public static let save: [Step] = [
        .modules, .jumpBack, .session, .ownMemory, .machine, .pageMap, .partition, .fingerprints, .freePages, .begin,
        .pages, .finish, .end, .report,
    ]
    /// Kernel C's steps, in their order.
    public static let restore: [Step] = [
        .modules, .partition, .image, .machine, .fingerprints, .attempt, .pages, .jump, .report, .consume, .end,
    ]
    /// The steps of an ordinary start, in their order.
    public static let secondStage: [Step] = [.partition, .image, .machine, .bootFiles, .load, .start, .end]
}
