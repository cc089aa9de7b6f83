import Basics
import Linux
import MemoryImage

/// Kernel A: what nobody may use between the save and the resume, because kernel A goes on using it from memory.
///
/// - Parameter isUnwatchedAllowed: leaves out what cannot be followed down to a disk.
/// - Throws: where something cannot be followed.
func findWatchedAreas(_ catalog: DeviceCatalog, isUnwatchedAllowed: Bool) throws(Failure) -> [WatchedArea] {
    var areas: [WatchedArea] = []
    for use in try blockDeviceUses() {
        do throws(Failure) {
            for extent in try underlyingExtents(of: use.device, byteCount: WatchedArea.maximumByteCount) {
                let path = try deviceNode(extent.device)
                let size = try DeviceGeometry(of: File(path)).byteCount
                areas.append(
                    WatchedArea(
                        user: use.description, device: stableName(path, catalog).description, deviceByteCount: size,
                        bytes: extent.bytes))
            }
        } catch {
            if isUnwatchedAllowed { continue }
            throw Failure(
                "watch", use.description, "\(error)",
                remedy: "with --allow-unwatched, a resume does not see whether another system has used it meanwhile")
        }
    }
    guard areas.count <= ImageDescription.maximumWatchedAreas else {
        throw Failure(
            "watch", "the file systems in use",
            "they are \(areas.count), and an image takes \(ImageDescription.maximumWatchedAreas)",
            remedy: "unmount some")
    }
    return areas
}

/// A name that other kernels find the device by, whatever they call it: its partition's UUID, or that of its contents.
private func stableName(_ path: String, _ catalog: DeviceCatalog) -> DeviceName {
    guard let content = catalog.entry(at: path)?.content else { return .path(path) }
    if let uuid = content.partitionUUID { return .partitionUUID(uuid) }
    // The members of a RAID share their UUID.
    if let uuid = content.uuid, content.type != "linux_raid_member" { return .uuid(uuid) }
    return .path(path)
}

extension WatchedArea {
    /// Kernel B: the area with the checksum of what it holds now, as kernel A is frozen.
    func fingerprinted(_ catalog: DeviceCatalog, seconds: Int, _ state: ChildState) throws(Failure) -> WatchedArea {
        var area = self
        area.checksum = try checksums(catalog, seconds: seconds, state)[0]
        return area
    }

    /// Kernel C: refuses where the area is not as kernel B found it.
    func expectUnchanged(_ catalog: DeviceCatalog, seconds: Int, _ state: ChildState) throws(Failure) {
        // Of several devices with the name, as a cloned disk is one, any could be the one that kernel A goes on with.
        for found in try checksums(catalog, seconds: seconds, state) where found != checksum {
            throw Failure(
                "resume", "kernel A", "\(user) was used since, on \(device)",
                remedy: "the session no longer fits what is there; give it up with torpor discard", isFinal: true)
        }
    }

    /// The checksums of the area on every device that the name means; never none.
    private func checksums(
        _ catalog: DeviceCatalog, seconds: Int, _ state: ChildState
    ) throws(Failure) -> [UInt64] {
        guard let name = DeviceName(device) else { throw refusal("\(device) is no device's name") }
        do throws(Failure) {
            _ = try catalog.wait(for: name, seconds: seconds) { state.beat() }
        } catch { throw refusal("its device \(device) is missing") }
        var result: [UInt64] = []
        for path in catalog.paths(named: name) {
            let file = try File(path, .direct)
            let size = try DeviceGeometry(of: file).byteCount
            guard size == deviceByteCount else {
                throw refusal("its device \(device) has \(size) bytes, and had \(deviceByteCount)")
            }
            result.append(try checksum(of: file))
            state.beat()
        }
        guard !result.isEmpty else { throw refusal("its device \(device) is missing") }
        return result
    }

    private func checksum(of file: borrowing File) throws(Failure) -> UInt64 {
        let piece = UInt64(1 << 20)
        let buffer = try Mapping(anonymous: Int(piece))
        // Around the page cache, so at sectors' boundaries: whole pages, and the rest of the device.
        var start = bytes.lowerBound & ~(pageSize - 1)
        let end = min(deviceByteCount, (bytes.upperBound + pageSize - 1) & ~(pageSize - 1))
        var sum: UInt64 = 0
        while start < end {
            let count = Int(min(piece, end - start))
            let part = UnsafeMutableRawBufferPointer(rebasing: buffer.bytes[..<count])
            try file.read(into: part, at: start)
            sum = xxh64(UnsafeRawBufferPointer(part), seed: sum)
            start += UInt64(count)
        }
        return sum
    }

    private func refusal(_ reason: String) -> Failure {
        Failure("watch", user, reason, remedy: "attach the disks as they were")
    }
}
