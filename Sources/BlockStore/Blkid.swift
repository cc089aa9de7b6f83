// SPDX-License-Identifier: Apache-2.0
import Basics
import CBlkid
import CLinux
import Linux

/// The content of a block device, as libblkid sees it. Whoever wrote the device chose the texts: they may hold any
/// character.
public struct BlockDeviceContent: Equatable, Sendable {
    /// The type, for messages: `ext4`, `swap`, `dos partition table`; nil if libblkid recognises nothing.
    public var type: String?
    /// The use of that type: `filesystem`, `raid`, `crypto` or `other`.
    public var usage: String?
    public var uuid: String?
    /// The UUID of this member of a Btrfs or md RAID; all members share `uuid`.
    public var subUUID: String?
    public var label: String?
    /// UUID, name and type that the partition table of the disk has for this partition.
    public var partitionUUID: String?
    public var partitionLabel: String?
    public var partitionType: String?
    /// The kind of partition table that the device holds: `gpt`, `dos`; nil if it holds none.
    public var tableType: String?

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

    borrowing func value(_ name: String) -> String? { probedValue(pointer, name) }
}

/// Reads what a block device holds, and changes nothing. If the device does not answer, this may never return:
/// `DeviceCatalog` calls it in a child process.
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
        // The entry in the partition table of the disk is no less certain for that.
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

/// Takes the entry that the partition table of the disk has for a device.
private func takePartition(_ probe: borrowing Probe, _ content: inout BlockDeviceContent) {
    content.partitionUUID = probe.value("PART_ENTRY_UUID")
    content.partitionLabel = probe.value("PART_ENTRY_NAME")
    content.partitionType = probe.value("PART_ENTRY_TYPE")
}

/// Reads what an open block device holds, even if its path leads elsewhere by now.
public func probeContent(_ file: borrowing File) throws(Failure) -> BlockDeviceContent {
    do throws(Failure) { return try probeContent("/proc/self/fd/\(file.descriptor)") } catch {
        throw Failure(error.operation, file.path, error.reason, errno: error.errno)
    }
}

/// Removes the signatures that libblkid finds and whose magic lies in a range.
/// The corresponding C function is `blkid_do_wipe`.
/// - Parameters:
///   - file: open for writing, without O_DIRECT.
///   - range: nil for the whole device.
/// - Returns: whether no signature is left anywhere.
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
            let offsets = ["SBMAGIC_OFFSET", "PTMAGIC_OFFSET"].compactMap { probedValue(probe, $0) }
            guard let offset = offsets.first.flatMap({ parseNumber($0) }), range.contains(offset) else { return false }
        }
        guard answer == 0, blkid_do_wipe(probe, 0) == 0 else {
            throw Failure(lastError: "wipe the signatures of", file.path)
        }
    }
}

private func probedValue(_ probe: blkid_probe, _ name: String) -> String? {
    var data: UnsafePointer<CChar>?
    guard blkid_probe_lookup_value(probe, name, &data, nil) == 0, let data else { return nil }
    return String(cString: data)
}
