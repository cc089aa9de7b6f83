// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A folder for one test's machines, disks and logs: build/vm/NAME. The logs stay; disks go when the test ends.
public final class Lab {
    public let folder: URL
    /// Disks with partitions so far: each gets identifiers of its own.
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

    /// A sparse disk image of zeros; size in bytes.
    public func disk(_ name: String, _ byteCount: UInt64 = 1 << 30) throws -> URL {
        let image = folder.appending(path: "\(name).img")
        try Data().write(to: image)
        let file = try FileHandle(forWritingTo: image)
        try file.truncate(atOffset: byteCount)
        try file.close()
        return image
    }

    /// A disk image with partitions.
    public func disk(
        _ name: String, _ partitions: [PartitionedDisk.Content], _ table: PartitionedDisk.Table = .gpt
    ) throws -> URL {
        diskCount += 1
        let image = folder.appending(path: "\(name).img")
        return try PartitionedDisk(image, partitions, table, diskIdentifier: diskCount).image
    }

    /// A disk with one empty partition for a hibernation partition; bytes.
    public func partitionedDisk(
        _ name: String = "hibernation", _ byteCount: UInt64 = 1 << 30, _ table: PartitionedDisk.Table = .gpt
    ) throws -> URL { try disk(name, [.empty(byteCount)], table) }

    /// A copy of the first partition of a disk, or of the disk if it has no partitions: what programs of this machine read.
    public func partition(of image: URL) throws -> URL {
        let place = try PartitionedDisk.firstPartition(of: image)
        if place.lowerBound == 0 { return image }
        let copy = image.deletingPathExtension().appendingPathExtension("partition.img")
        try Data().write(to: copy)
        let file = try FileHandle(forUpdating: copy)
        try file.truncate(atOffset: UInt64(place.count))
        try file.close()
        try PartitionedDisk.copy(image, place, to: copy, at: 0)
        return copy
    }

    /// Puts the first bytes of a partition, as `partition(of:)` copied it and a program changed it, back onto the disk.
    public func putBack(_ partition: URL, _ byteCount: UInt64, onto image: URL) throws {
        if partition == image { return }
        let place = try PartitionedDisk.firstPartition(of: image)
        try PartitionedDisk.copy(partition, 0..<byteCount, to: image, at: place.lowerBound)
    }

    /// A copy of a disk image that stays as sparse as it is.
    public func copy(_ image: URL, _ name: String) throws -> URL {
        let copy = folder.appending(path: "\(name).img")
        try Tool.run("/bin/cp", "--sparse=always", "--reflink=auto", image.path, copy.path)
        return copy
    }

    /// A file to fill a machine's memory with.
    public func garbage(mebibytes: Int) throws -> URL {
        let file = folder.appending(path: "garbage.img")
        try Data(repeating: 0x5a, count: mebibytes << 20).write(to: file)
        return file
    }

    /// A machine with kernel A and a script as its user space.
    public func kernelA(_ name: String, disks: [URL], files: [String: URL] = [:], _ script: String) throws -> Machine {
        Machine(
            name: name, disks: disks.map { Machine.Disk(image: $0) },
            initrd: try Guest.initrd(script, files: files, in: folder, name: name))
    }

    /// The same machine after power-on, with kernel C and rootfs.gz.
    /// - Parameters:
    ///   - backupEnd: N, as kernel A has it.
    ///   - refused: the policy after a refusal that can be mended; nil leaves the standard one.
    public func kernelC(
        _ name: String, like machine: Machine, _ commandLine: String = "", backupEnd: String = "128M",
        refused: String? = "poweroff"
    ) -> Machine {
        var c = machine
        c.name = name
        c.initrd = Products.rootfs
        c.commandLine = "quiet mem=\(backupEnd) \(commandLine)" + (refused.map { " torpor.refused=\($0)" } ?? "")
        return c
    }

    /// Runs a machine.
    public func run(_ machine: Machine) throws -> Machine.Result { try machine.run(in: folder) }
}
