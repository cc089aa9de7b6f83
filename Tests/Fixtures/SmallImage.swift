// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation

@testable import MemoryImage

/// An image of 1 MiB of memory, with chunks of every kind.
public enum SmallImage {
    public static let memory: PhysicalRange = 0x10_0000..<0x20_0000
    public static let firstFrame = memory.lowerBound / pageSize
    public static let imageUUID = UUID("aaaaaaaa-89ab-4cde-8f01-23456789abcd") ?? .zero
    public static let byteCount = 4 << 20

    /// The runs of each chunk, in the order of the index. Frames count from the first frame of the memory.
    ///
    /// Chunks 0 and 1 compress, 2 stores nothing, 3 has two runs of data, 4 does not compress. Index blocks have two
    /// entries.
    static let chunks: [[(frames: Range<UInt64>, kind: PageRun.Kind)]] = [
        [(0..<64, .data)],
        [(64..<96, .data), (96..<128, .zero)],
        [(128..<160, .free)],
        [(160..<200, .data), (200..<204, .zero), (204..<240, .data)],
        [(240..<256, .data)],
    ]

    /// The contents of the memory; free pages are full of `background`.
    public static func contents(background: UInt8) -> [UInt8] {
        var memory = [UInt8](repeating: background, count: Int(memory.byteCount))
        for (frames, kind) in chunks.joined() where kind != .free {
            for frame in frames {
                let page = page(frame, kind)
                memory.replaceSubrange(Int(frame) * 4096..<Int(frame) * 4096 + 4096, with: page)
            }
        }
        return memory
    }

    private static func page(_ frame: UInt64, _ kind: PageRun.Kind) -> [UInt8] {
        if kind == .zero { return [UInt8](repeating: 0, count: 4096) }
        var random = frame
        return (0..<4096).map { i in
            if frame < 240 { return UInt8(truncatingIfNeeded: UInt64(i / 32) &+ frame) | 1 }
            random = random &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return UInt8(truncatingIfNeeded: random >> 56)
        }
    }

    public static var description: ImageDescription {
        var description = ImageDescription()
        description.host = "small"
        description.memoryRanges = [memory]
        return description
    }

    /// Makes a file a partition with the image, which is `ready`.
    public static func write(to path: String) throws {
        try Data(count: byteCount).write(to: URL(filePath: path))
        try HibernationPartition.format(path, label: "small", uuid: .zero, [])
        let partition = try HibernationPartition(path, .write)
        let writer = try ImageWriter(
            partition, imageUUID: imageUUID, codec: .zstd(level: 1),
            index: IndexWriter(partition, imageUUID: imageUUID, capacity: 2))
        let builder = try writer.makeChunkBuilder()
        for chunk in chunks {
            for (frames, kind) in chunk {
                let first = firstFrame + frames.lowerBound, count = UInt32(frames.count)
                switch kind {
                case .zero: try builder.addZeros(firstFrame: first, count: count)
                case .free: try builder.addFreePages(firstFrame: first, count: count)
                case .data:
                    let pages = frames.flatMap { page($0, .data) }
                    try pages.withUnsafeBytes { try builder.addData(firstFrame: first, $0) }
                }
            }
            try builder.flush()
        }
        try writer.finish(description, state: .ready) { 1 }
    }
}
