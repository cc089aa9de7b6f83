// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux
import MemoryImage

/// The partition that `torpor.device=` names.
func openPartition(
    _ parameters: KernelParameters, _ options: File.Options, _ catalog: DeviceCatalog
) throws(Failure) -> HibernationPartition {
    let path = try findHibernationPartition(
        parameters.device, seconds: parameters.waitSeconds, catalog, naming: "torpor.device=")
    return try HibernationPartition(path, options)
}

/// An image that was never resumed is a session: it is not written over.
func requireNoPendingImage(_ superblock: Superblock, _ path: String) throws(Failure) {
    if superblock.state.isPending {
        throw Failure(
            "write", path, "it holds \(superblock.stateDescription)",
            remedy: "give that session up with: torpor discard \(path)")
    }
}

/// Kernel A looked at the partition: a superblock that somebody wrote since is not what it checked.
func requireUnchanged(_ superblock: Superblock, _ description: ImageDescription, _ path: String) throws(Failure) {
    guard superblock.uuid == description.partitionUUID else { return }
    if superblock.generation != description.partitionGeneration {
        throw Failure("write", path, "it has changed since kernel A looked at it", remedy: "try again")
    }
}

/// Ranges of physical addresses, for the log.
func describeRanges(_ ranges: [PhysicalRange]) -> String { ranges.map { hexadecimal($0) }.joined(separator: " ") }
