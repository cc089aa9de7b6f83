// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A folder for the machines, disks and logs of one test: build/vm/NAME. The logs stay; the disks are removed when the test
/// ends.
public final class Lab {
    public let folder: URL
    /// The number of partitioned disks so far; each gets its own identifiers.
    private var diskCount: UInt32 = 0

    public init(_ name: String) throws {
        folder = Products.folder.appending(path: "vm/\(name)")
        try? FileManager.default.removeItem(at: folder)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit {
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        for file in files where ["img", "initrd", "fd"].contains(file.pathExtension) {
            try? FileManager.default.removeItem(at: file)
        }
    }

    /// Makes a sparse disk image of zeros; size in bytes.
    public func disk(_ name: String, _ byteCount: UInt64 = 1 << 30) throws -> URL {
        let image = folder.appending(path: "\(name).img")
        try Data().write(to: image)
        let file = try FileHandle(forWritingTo: image)
        try file.truncate(atOffset: byteCount)
        try file.close()
        return image
    }

    /// Makes a disk image with partitions.
    public func disk(
        _ name: String, _ partitions: [PartitionedDisk.Content], _ table: PartitionedDisk.Table = .gpt
    ) throws -> URL { try self.partitions(name, partitions, table).image }

    /// The same, with the places of the partitions.
    func partitions(
        _ name: String, _ partitions: [PartitionedDisk.Content], _ table: PartitionedDisk.Table = .gpt
    ) throws -> PartitionedDisk {
        diskCount += 1
        return try PartitionedDisk(
            folder.appending(path: "\(name).img"), partitions, table, diskIdentifier: diskCount)
    }

    /// Makes a disk with one empty partition, to be formatted as a hibernation partition; size in bytes.
    public func partitionedDisk(
        _ name: String = "hibernation", _ byteCount: UInt64 = 1 << 30, _ table: PartitionedDisk.Table = .gpt
    ) throws -> URL { try disk(name, [.empty(byteCount)], table) }

    /// Copies the first partition of a disk, for programs of this machine. Returns the disk itself if it has no partitions.
    public func partition(of image: URL) throws -> URL {
        let place = try PartitionedDisk.firstPartition(of: image)
        if place.lowerBound == 0 { return image }
        let copy = image.deletingPathExtension().appendingPathExtension("partition.img")
        try PartitionedDisk.extract(place, of: image, to: copy)
        return copy
    }

    /// Writes the first bytes of a copy from `partition(of:)`, which a program has changed, back to the disk.
    public func putBack(_ partition: URL, _ byteCount: UInt64, onto image: URL) throws {
        if partition == image { return }
        let place = try PartitionedDisk.firstPartition(of: image)
        try PartitionedDisk.copy(partition, 0..<byteCount, to: image, at: place.lowerBound)
    }

    /// Copies a disk image; holes stay holes.
    public func copy(_ image: URL, _ name: String) throws -> URL {
        let copy = folder.appending(path: "\(name).img")
        try Tool.run("/bin/cp", "--sparse=always", "--reflink=auto", image.path, copy.path)
        return copy
    }

    /// Makes a file with which to fill a machine's memory.
    public func garbage(mebibytes: Int) throws -> URL {
        let file = folder.appending(path: "garbage.img")
        try Data(repeating: 0x5a, count: mebibytes << 20).write(to: file)
        return file
    }

    /// Makes a machine with kernel A and a script as its user space.
    public func kernelA(_ name: String, disks: [URL], files: [String: URL] = [:], _ script: String) throws -> Machine {
        try kernelA(name, on: disks.map { Machine.Disk(image: $0) }, files: files, script)
    }

    /// Makes a machine with kernel A, disks on any bus, and a script as its user space. The kernel loads the modules that the
    /// disks need.
    public func kernelA(
        _ name: String, on disks: [Machine.Disk], files: [String: URL] = [:], _ script: String
    ) throws -> Machine {
        Machine(
            name: name, disks: disks,
            initrd: try Guest.initrd(script, files: files, disks: disks, in: folder, name: name))
    }

    /// Makes the same machine after power-on, with kernel C and the rootfs.gz that its disks need.
    /// - Parameters:
    ///   - backupEnd: N, as in kernel A.
    ///   - refused: the value of `torpor.refused=`; nil for the default.
    public func kernelC(
        _ name: String, like machine: Machine, _ commandLine: String = "", backupEnd: String = "128M",
        refused: String? = "poweroff"
    ) -> Machine {
        var c = machine
        c.name = name
        c.initrd = Products.rootfs(for: machine.disks)
        c.commandLine = "quiet mem=\(backupEnd) \(commandLine)" + (refused.map { " torpor.refused=\($0)" } ?? "")
        return c
    }

    /// Runs a machine.
    public func run(_ machine: Machine) throws -> Machine.Result { try machine.run(in: folder) }
}

extension URL {
    /// The bytes that are allocated for a file, without its holes.
    public func allocatedBytes() throws -> Int {
        let text = try Tool.run("/usr/bin/stat", "-c", "%b", path)
        return (Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0) * 512
    }
}
