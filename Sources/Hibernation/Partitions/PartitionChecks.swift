// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import BlockStore
import Linux
import MemoryImage

/// Opens the partition that `torpor.device=` names; without a name, the only one.
func openNamedPartition(
    _ parameters: KernelParameters, _ options: File.Options, _ catalog: DeviceCatalog
) throws(Failure) -> HibernationPartition {
    let path = try findHibernationPartition(
        parameters.device, seconds: parameters.waitSeconds, catalog, naming: Parameter.device.option)
    return try HibernationPartition(path, options)
}

/// Opens the named hibernation partition for a rehearsal: as if for writing, but nothing reaches the device.
func openPartitionForTrial(
    _ parameters: KernelParameters, _ catalog: DeviceCatalog
) throws(Failure) -> HibernationPartition {
    let path = try findHibernationPartition(
        parameters.device, seconds: parameters.waitSeconds, catalog, naming: Parameter.device.option)
    return try HibernationPartition(TrialStore(DeviceStore(path, .exclusive)))
}

/// Opens the partition whose image is to be resumed, for writing: see `findPartitionToResume`.
/// - Returns: nil if none is named and there is none.
func openPartitionToResume(
    _ parameters: KernelParameters, seconds: Int, _ catalog: DeviceCatalog
) throws(Failure) -> HibernationPartition? {
    guard let path = try findPartitionToResume(parameters, seconds: seconds, catalog) else { return nil }
    return try HibernationPartition(path, .write)
}

/// Refuses a partition with a pending image: a session must not be overwritten.
func requireNoPendingImage(_ superblock: Superblock, _ path: String) throws(Failure) {
    if superblock.state.isPending {
        throw Failure(
            "write", path, "it holds \(superblock.stateDescription)",
            remedy: "to drop that session: torpor discard \(path)")
    }
}

/// Refuses a partition whose superblock was written after kernel A checked it.
func requireUnchanged(_ superblock: Superblock, _ description: ImageDescription, _ path: String) throws(Failure) {
    guard superblock.uuid == description.partitionUUID else { return }
    if superblock.generation != description.partitionGeneration {
        throw Failure("write", path, "its superblock has changed since kernel A checked it", remedy: "hibernate again")
    }
}

/// Ranges of physical addresses, for the log.
func describeRanges(_ ranges: [PhysicalRange]) -> String { ranges.map { hexadecimal($0) }.joined(separator: " ") }
