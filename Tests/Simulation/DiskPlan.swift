// SPDX-License-Identifier: Apache-2.0

/// Calls of a store that fail.
struct DiskFault {
    enum Operation { case read, write, flush }

    var operation: Operation
    /// Calls of that kind that still succeed.
    var countdown: Int
    /// Whether all calls after that fail, too.
    var isPermanent: Bool
    /// EIO, or ENOSPC as of a device that is thinly provisioned.
    var errno: CInt
}

/// The next things that go wrong on a disk.
struct DiskPlan {
    /// Calls that change the disk and that still succeed before the power fails, in the middle of the next one.
    var callsUntilPowerCut: Int?
    var fault: DiskFault?
}

/// How a disk discards.
enum DiscardManner: CaseIterable {
    /// It says that it cannot.
    case unsupported
    /// The range reads as zeros afterwards.
    case zeros
    /// The disk says that it did, and keeps everything.
    case nothing
    /// The second half of the range reads as zeros.
    case half
}

/// A mistake that somebody could make in the code above the disk, made by the disk in its place. Each must be found.
enum PlantedMistake: String, CaseIterable {
    /// Nobody ever flushes.
    case neverFlushes
    /// The superblock is written before the data is flushed.
    case superblockBeforeData
    /// The superblock is not flushed after it was written.
    case superblockNotFlushed
    /// The superblock is always written over itself.
    case onlySlotZero
    /// An image that is given up is marked in one slot only.
    case retiredInOneSlot
    /// Nobody looks whether a write has failed.
    case writeErrorsIgnored
    /// Nobody looks whether a flush has failed.
    case flushErrorsIgnored
    /// Nobody flushes what was erased.
    case erasureNotFlushed
    /// Data is written behind the end of the partition.
    case writtenBehindTheEnd
    /// The update of a superblock writes over data.
    case dataWrittenOver
    /// A block of data is not written.
    case dataLeftOut
}
