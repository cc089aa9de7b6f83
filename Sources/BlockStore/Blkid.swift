// SPDX-License-Identifier: Apache-2.0
import Basics
import CBlkid
import CLinux
import Linux

/// What libblkid finds on a block device. Texts are as somebody wrote them there.
public struct BlockDeviceContent: Equatable, Sendable {
    /// What it is, for a message: `ext4`, `swap`, `dos partition table`; nil if libblkid knows nothing there.
    public var type: String?
    /// What it is good for: `filesystem`, `raid`, `crypto` or `other`.
    public var usage: String?
    public var uuid: String?
    /// The UUID of this one device among those that share `uuid`: a member of a Btrfs or of an md RAID.
    public var subUUID: String?
    public var label: String?
    /// UUID, name and type of the partition in its partition table.
    public var partitionUUID: String?
    public var partitionLabel: String?
    public var partitionType: String?
    /// The kind of the partition table that the device holds: `gpt`, `dos`; nil if it holds none.
    public var tableType: String?
    /// The device holds a partition table, not a file system.
    public var isPartitionTable: Bool { tableType != nil && usage == nil }

    public init() {}
}

/// A libblkid probe, freed when it goes out of scope.
private struct Probe: ~Copyable {
    let pointer: blkid_probe

    init(_ path: String) throws(Failure) {
        guard let probe = blkid_new_probe_from_filename(path) else { throw Failure(lastError: "probe", path) }
        pointer = probe
    }

    deinit { blkid_free_probe(pointer) }

    borrowing func value(_ name: String) -> String? { BlockStore.value(pointer, name) }
}

/// Reads what a block device holds; the device is not changed. It may never return if the device does not answer:
/// `DeviceCatalog` asks in a child process.
/// The corresponding C function is `blkid_do_safeprobe`.
public func probeContent(_ path: String) throws(Failure) -> BlockDeviceContent {
    let probe = try Probe(path)
    blkid_probe_enable_superblocks(probe.pointer, 1)
    blkid_probe_set_superblocks_flags(
        probe.pointer,
        CInt(BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID | BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE))
    blkid_probe_enable_partitions(probe.pointer, 1)
    blkid_probe_set_partitions_flags(probe.pointer, CInt(BLKID_PARTS_ENTRY_DETAILS))
    var content = BlockDeviceContent()
    switch blkid_do_safeprobe(probe.pointer) {
    case 0, 1: break
    case -2:
        // What the partition table says of it is as sure as before.
        let table = try Probe(path)
        blkid_probe_enable_superblocks(table.pointer, 0)
        blkid_probe_enable_partitions(table.pointer, 1)
        blkid_probe_set_partitions_flags(table.pointer, CInt(BLKID_PARTS_ENTRY_DETAILS))
        if blkid_do_safeprobe(table.pointer) >= 0 { takePartition(table, &content) }
        content.type = "several overlapping signatures"
        return content
    default: throw Failure("probe", path, errno: EIO)
    }
    content.type = probe.value("TYPE")
    content.usage = probe.value("USAGE")
    content.uuid = probe.value("UUID")
    content.subUUID = probe.value("UUID_SUB")
    content.label = probe.value("LABEL")
    takePartition(probe, &content)
    content.tableType = probe.value("PTTYPE")
    if content.type == nil, let table = content.tableType { content.type = "\(table) partition table" }
    return content
}

/// Takes what the partition table on its disk says of a device.
private func takePartition(_ probe: borrowing Probe, _ content: inout BlockDeviceContent) {
    content.partitionUUID = probe.value("PART_ENTRY_UUID")
    content.partitionLabel = probe.value("PART_ENTRY_NAME")
    content.partitionType = probe.value("PART_ENTRY_TYPE")
}

/// Reads what an open block device holds, wherever its path leads by now.
public func probeContent(_ file: borrowing File) throws(Failure) -> BlockDeviceContent {
    do throws(Failure) { return try probeContent("/proc/self/fd/\(file.descriptor)") } catch {
        throw Failure(error.operation, file.path, error.reason, errno: error.errno)
    }
}

/// Removes every signature that libblkid finds, so that nothing takes the device for what it held before.
/// The corresponding C function is `blkid_do_wipe`.
public func wipeSignatures(_ file: borrowing File) throws(Failure) { _ = try wipeSignatures(file, within: nil) }

/// Removes the signatures that libblkid finds and whose magic lies within these bytes.
/// - Parameter range: nil for all of the device.
/// - Returns: whether none is left anywhere.
public func wipeSignatures(_ file: borrowing File, within range: DeviceRange?) throws(Failure) -> Bool {
    guard let probe = blkid_new_probe() else { throw Failure(lastError: "probe", file.path) }
    defer { blkid_free_probe(probe) }
    guard blkid_probe_set_device(probe, file.descriptor, 0, 0) == 0 else {
        throw Failure(lastError: "probe", file.path)
    }
    blkid_probe_enable_superblocks(probe, 1)
    blkid_probe_set_superblocks_flags(probe, CInt(BLKID_SUBLKS_MAGIC | BLKID_SUBLKS_TYPE))
    blkid_probe_enable_partitions(probe, 1)
    blkid_probe_set_partitions_flags(probe, CInt(BLKID_PARTS_MAGIC))
    while true {
        let answer = blkid_do_probe(probe)
        if answer == 1 { return true }
        if answer == 0, let range {
            let offsets = ["SBMAGIC_OFFSET", "PTMAGIC_OFFSET"].compactMap { value(probe, $0) }
            guard let offset = offsets.first.flatMap({ parseNumber($0) }), range.contains(offset) else { return false }
        }
        guard answer == 0, blkid_do_wipe(probe, 0) == 0 else {
            throw Failure(lastError: "wipe the signatures of", file.path)
        }
    }
}

private func value(_ probe: blkid_probe, _ name: String) -> String? {
    var data: UnsafePointer<CChar>?
    guard blkid_probe_lookup_value(probe, name, &data, nil) == 0, let data else { return nil }
    return String(cString: data)
}
