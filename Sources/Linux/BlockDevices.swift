import Basics
import CLinux

/// Facts about an open block device, or about a regular file in its place (an image of one).
public struct DeviceGeometry: Sendable {
    /// Bytes in the device.
    public var byteCount: UInt64
    /// Bytes in a logical sector: what `File.Options.direct` must be aligned to.
    public var sectorSize: Int

    public init(of file: borrowing File) throws(Failure) {
        var status = stat()
        try retrying("stat", file.path) { fstat(file.descriptor, &status) }
        if torpor_is_block_device(status.st_mode) == 0 {
            byteCount = UInt64(max(0, status.st_size))
            sectorSize = 512
            return
        }
        var bytes: UInt64 = 0
        var sector: CInt = 0
        let descriptor = file.descriptor
        try retrying("read the size of", file.path) { torpor_block_size(descriptor, &bytes) }
        try retrying("read the sector size of", file.path) { torpor_logical_sector_size(descriptor, &sector) }
        byteCount = bytes
        sectorSize = Int(sector)
    }
}

/// The paths of all block devices that have a size, partitions included: /sys/class/block.
public func blockDevicePaths() throws(Failure) -> [String] {
    var paths: [String] = []
    for name in try listDirectory("/sys/class/block") {
        // A device that vanishes while we look at it is no failure.
        guard let text = try? readSize(name), text > 0 else { continue }
        // sysfs writes `!` where the name under /dev has `/`.
        let path = String(
            decoding: Array("/dev/\(name)".utf8).map { $0 == UInt8(ascii: "!") ? UInt8(ascii: "/") : $0 }, as: UTF8.self
        )
        if exists(path) { paths.append(path) }
    }
    return paths
}

private func readSize(_ name: String) throws(Failure) -> UInt64 {
    parseNumber(trimmed(try readText("/sys/class/block/\(name)/size"))) ?? 0
}

/// Text without white space at its end, as files of /sys and /proc have it.
public func trimmed(_ text: String) -> String {
    var characters = Array(text.utf8)
    while let last = characters.last, last <= UInt8(ascii: " ") { characters.removeLast() }
    return String(decoding: characters, as: UTF8.self)
}

/// A path without symbolic links, `.` and `..`; nil if nothing is there. The corresponding C function is `realpath`.
func realPath(_ path: String) -> String? {
    guard let real = realpath(path, nil) else { return nil }
    defer { free(real) }
    return String(cString: real)
}

/// Whether a path names a block device.
public func isBlockDevice(_ path: String) throws(Failure) -> Bool {
    var status = stat()
    try retrying("look at", path) { stat(path, &status) }
    return torpor_is_block_device(status.st_mode) != 0
}

/// Forgets what the page cache holds of a block device: after a resume it is older than the disk.
/// The corresponding ioctl is `BLKFLSBUF`.
public func dropBuffers(_ file: borrowing File) { _ = torpor_flush_buffers(file.descriptor) }

/// Who holds a block device that opens with EBUSY, as a phrase for a message: `it is mounted on /srv`.
public func holder(of path: String) -> String {
    var status = stat()
    guard stat(path, &status) == 0 else { return "another program or device holds it" }
    let number = "\(torpor_major(status.st_rdev)):\(torpor_minor(status.st_rdev))"
    if let table = try? lines(of: "/proc/self/mountinfo").joined(separator: "\n") {
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            if fields.count > 4, String(fields[2]) == number { return "it is mounted on \(fields[4])" }
        }
    }
    if let swaps = try? readText("/proc/swaps") {
        for line in swaps.split(separator: "\n").dropFirst() {
            guard let name = line.split(separator: " ").first else { continue }
            var other = stat()
            if stat(String(name), &other) == 0, other.st_rdev == status.st_rdev { return "it is in use as swap" }
        }
    }
    if let holders = try? listDirectory("/sys/dev/block/\(number)/holders"), let first = holders.first {
        return "the block device \(first) holds it"
    }
    return "another program or device holds it"
}
