// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation

@testable import MemoryImage

/// A formatted partition in a file, which can be attached as a loop device. Both go with the object.
final class LoopDisk {
    let path = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
    private var device: String?

    init(label: String = "") throws {
        try Data(count: 8 << 20).write(to: URL(filePath: path))
        try HibernationPartition.format(path, label: label, uuid: Self.uuid(), [])
    }

    private static func uuid() -> Basics.UUID {
        Basics.UUID(random: (0..<16).map { _ in UInt8.random(in: 0...255) }) ?? .zero
    }

    /// A loop device over the file; nil if nobody may make one here.
    func attach() throws -> String? {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/sbin/losetup")
        process.arguments = ["--find", "--show", path]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return nil }
        let answer = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { return nil }
        device = String(decoding: answer, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return device
    }

    /// Writes an image of one page in some state.
    func writeImage(_ state: Superblock.State) throws {
        let partition = try HibernationPartition(path, .write)
        let writer = try ImageWriter(partition, imageUUID: Self.uuid(), codec: .none)
        let builder = try writer.makeChunkBuilder()
        let page = [UInt8](repeating: 0x55, count: 4096)
        try page.withUnsafeBytes { try builder.addData(firstFrame: 0x8000, $0) }
        try builder.flush()
        try writer.finish(ImageDescription(), state: .ready) { 1 }
        try partition.update { $0.state = state }
    }

    func put(_ bytes: [UInt8], at offset: Int) throws {
        let file = try FileHandle(forUpdating: URL(filePath: path))
        try file.seek(toOffset: UInt64(offset))
        try file.write(contentsOf: Data(bytes))
        try file.close()
    }

    var content: Data { get throws { try Data(contentsOf: URL(filePath: path)) } }

    deinit {
        if let device {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/sbin/losetup")
            process.arguments = ["--detach", device]
            try? process.run()
            process.waitUntilExit()
        }
        try? FileManager.default.removeItem(atPath: path)
    }
}
