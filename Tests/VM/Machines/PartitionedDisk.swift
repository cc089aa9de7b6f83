// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A disk image with a partition table and partitions, laid out as installers do it.
public struct PartitionedDisk {
    public enum Table: String, Sendable {
        case gpt
        /// The MBR partition table, by sfdisk's name.
        case mbr = "dos"
    }

    /// The contents of a partition.
    public enum Content {
        /// Zeros; size in bytes.
        case empty(UInt64)
        /// A copy of a file, such as a file system from this machine.
        case file(URL)
        /// A copy of a file, in an EFI system partition.
        case efiSystem(URL)
        /// GRUB's core image, in a BIOS boot partition; only in a GPT.
        case biosBoot(URL)

        /// The type of the partition in a GPT.
        fileprivate var type: String {
            switch self {
            case .empty, .file: "0FC63DAF-8483-4772-8E79-3D69D8477DE4"
            case .efiSystem: "C12A7328-F81F-11D2-BA4B-00A0C93EC93B"
            case .biosBoot: "21686148-6449-6E6F-744E-656564454649"
            }
        }
    }

    public let image: URL
    /// The partitions as half-open ranges of bytes on the disk.
    public let partitions: [Range<UInt64>]

    /// Partitions begin and end at multiples of this, in bytes. As much space is before the first and after the last.
    private static let alignment: UInt64 = 1 << 20

    /// Makes the image.
    /// - Parameter diskIdentifier: the disk signature in an MBR, the last digits of the UUIDs in a GPT; unique for each disk.
    init(_ image: URL, _ contents: [Content], _ table: Table, diskIdentifier: UInt32) throws {
        self.image = image
        var start = Self.alignment
        var partitions: [Range<UInt64>] = []
        let digits = String(diskIdentifier, radix: 16)
        let identifier = String(repeating: "0", count: 8 - digits.count) + digits
        var script = "label: \(table.rawValue)\n"
        script +=
            table == .gpt ? "label-id: 00000000-0000-4000-8000-0000\(identifier)\n" : "label-id: 0x\(identifier)\n"
        for (number, content) in contents.enumerated() {
            var size: UInt64
            switch content {
            case .empty(let count): size = count
            case .file(let file), .efiSystem(let file), .biosBoot(let file): size = try Self.byteCount(of: file)
            }
            size = (size + Self.alignment - 1) / Self.alignment * Self.alignment
            script += "start=\(start / 512), size=\(size / 512)"
            switch table {
            case .gpt:
                script += ", type=\(content.type), uuid=00000000-0000-4000-9000-000\(number + 1)\(identifier)"
            case .mbr:
                if case .efiSystem = content { script += ", type=ef" } else { script += ", type=83" }
            }
            script += "\n"
            partitions.append(start..<start + size)
            start += size
        }
        self.partitions = partitions
        try Data().write(to: image)
        let file = try FileHandle(forUpdating: image)
        try file.truncate(atOffset: start + Self.alignment)
        try file.close()
        let input = image.appendingPathExtension("sfdisk")
        try Data(script.utf8).write(to: input)
        try Tool.run("/bin/sh", "-c", "/sbin/sfdisk -q \"$1\" <\"$2\"", "sh", image.path, input.path)
        try FileManager.default.removeItem(at: input)
        for (content, place) in zip(contents, partitions) {
            switch content {
            case .empty: continue
            case .file(let file), .efiSystem(let file), .biosBoot(let file):
                try Self.copy(file, 0..<Self.byteCount(of: file), to: image, at: place.lowerBound)
            }
        }
    }

    /// The first partition of an image, or the whole image if it has no partition table.
    public static func firstPartition(of image: URL) throws -> Range<UInt64> {
        let file = try FileHandle(forReadingFrom: image)
        let size = try byteCount(of: image)
        try file.seek(toOffset: 510)
        guard let signature = try file.read(upToCount: 2), signature == Data([0x55, 0xaa]) else { return 0..<size }
        let text = try Tool.run("/sbin/sfdisk", "--dump", image.path)
        guard let line = text.split(separator: "\n").first(where: { $0.contains("start=") }),
            let match = line.firstMatch(of: /start= *([0-9]+), size= *([0-9]+)/), let start = UInt64(match.1),
            let count = UInt64(match.2)
        else { return 0..<size }
        return start * 512..<(start + count) * 512
    }

    private static func byteCount(of file: URL) throws -> UInt64 {
        let handle = try FileHandle(forReadingFrom: file)
        return try handle.seekToEnd()
    }

    /// Copies bytes of a file into a new file; holes stay holes.
    static func extract(_ bytes: Range<UInt64>, of source: URL, to target: URL) throws {
        try Data().write(to: target)
        let file = try FileHandle(forUpdating: target)
        try file.truncate(atOffset: UInt64(bytes.count))
        try file.close()
        try copy(source, bytes, to: target, at: 0)
    }

    /// SEEK_DATA and SEEK_HOLE of lseek(2), which need _GNU_SOURCE in C.
    private static let seekData: Int32 = 3, seekHole: Int32 = 4

    /// Copies bytes from one file to another. Skips holes, so the target keeps its contents there.
    public static func copy(_ source: URL, _ bytes: Range<UInt64>, to target: URL, at offset: UInt64) throws {
        let from = try FileHandle(forReadingFrom: source), to = try FileHandle(forUpdating: target)
        var position = off_t(bytes.lowerBound)
        let end = off_t(bytes.upperBound)
        while position < end {
            let data = lseek(from.fileDescriptor, position, seekData)
            if data < 0 || data >= end { return }
            let hole = min(end, lseek(from.fileDescriptor, data, seekHole))
            position = data
            while position < hole {
                try from.seek(toOffset: UInt64(position))
                guard let piece = try from.read(upToCount: min(8 << 20, Int(hole - position))), !piece.isEmpty else {
                    return
                }
                try to.seek(toOffset: offset + UInt64(position) - bytes.lowerBound)
                try to.write(contentsOf: piece)
                position += off_t(piece.count)
            }
        }
    }
}
