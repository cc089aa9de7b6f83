// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux

@testable import BlockDevices
@testable import MemoryImage
@testable import TorporCommand

/// Block devices that are files in a folder. The folder stands for /dev.
final class FakeDevices: DeviceSystem {
    let folder: URL
    var isRoot = true
    private var names: [String] = []
    /// What libblkid finds, by the device's name.
    private var contents: [String: String] = [:]
    /// Why devices cannot be read, by the device's name.
    private var failures: [String: Failure] = [:]
    /// Who uses a device, by the device's name.
    private var users: [String: String] = [:]

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    // MARK: Names

    /// The path of a device's file.
    func path(_ name: String) -> String { folder.appending(path: name).path }

    /// An argument with the path of the file in the place of the device's.
    func real(_ argument: String) -> String {
        argument.hasPrefix("/dev/") ? path(String(argument.dropFirst(5))) : argument
    }

    /// What was printed, with the devices' paths in the place of those of their files.
    func shown(_ text: String) -> String { text.replacing(folder.path + "/", with: "/dev/") }

    // MARK: What is there

    /// Adds a device of zeros.
    func add(_ name: String, byteCount: UInt64 = 8 << 20, content: String? = nil) throws {
        try Data().write(to: URL(filePath: path(name)))
        truncate(path(name), Int(byteCount))
        if !names.contains(name) { names.append(name) }
        contents[name] = content
    }

    /// Adds a device that cannot be read.
    func addUnreadable(_ name: String, _ reason: String, errno: CInt) throws {
        try add(name)
        failures[name] = Failure("open", path(name), reason, errno: errno)
    }

    func use(_ name: String, _ phrase: String) { users[name] = phrase }

    /// Adds a hibernation partition.
    func addPartition(_ name: String, label: String = "", uuid: String = standardUUID) throws {
        try add(name)
        try HibernationPartition.format(path(name), label: label, uuid: Basics.UUID(uuid) ?? .zero, [])
        try change(name) { $0.time = Self.standardTime }
    }

    static let standardUUID = "9f0e6a3c-52f7-4a0e-8a4b-6d1c2f3e4a5b"
    static let imageUUID = "3c1d7f62-0a5e-4b8f-9d27-1e6f5a4b3c2d"
    /// 2026-01-01T12:00:00Z
    static let standardTime: UInt64 = 1_767_268_800

    /// Writes an image of eight pages to a partition: two of data, one of zeros, five free ones.
    func writeImage(_ name: String, _ state: Superblock.State = .ready, host: String = "laptop", reason: String = "")
        throws
    {
        let partition = try HibernationPartition(path(name), .write)
        let writer = try ImageWriter(partition, imageUUID: Basics.UUID(Self.imageUUID) ?? .zero, codec: .none)
        let builder = try writer.makeChunkBuilder()
        let pages = [UInt8](repeating: 0x55, count: 2 * 4096)
        try pages.withUnsafeBytes { try builder.addData(firstFrame: 0x8000, $0) }
        try builder.addZeros(firstFrame: 0x8002, count: 1)
        try builder.addFreePages(firstFrame: 0x8003, count: 5)
        try builder.flush()
        var description = ImageDescription()
        description.host = host
        description.kernelRelease = "6.12.107"
        try writer.finish(description, state: .ready) { 1700 }
        try change(name) { superblock in
            superblock.state = state
            superblock.reason = reason
            superblock.time = Self.standardTime
        }
    }

    /// Changes a superblock, the same in both slots.
    func change(_ name: String, _ change: (inout Superblock) -> Void) throws {
        var superblock = try superblock(name)
        change(&superblock)
        for offset in Superblock.slotOffsets { try put(superblock.encoded(), at: offset, on: name) }
    }

    /// Damages both superblocks.
    func damage(_ name: String) throws {
        for offset in Superblock.slotOffsets { try put([1], at: offset + 1000, on: name) }
    }

    func superblock(_ name: String) throws -> Superblock { try HibernationPartition(path(name)).superblock }

    func put(_ bytes: [UInt8], at offset: UInt64, on name: String) throws {
        let file = try FileHandle(forUpdating: URL(filePath: path(name)))
        try file.seek(toOffset: offset)
        try file.write(contentsOf: Data(bytes))
        try file.close()
    }

    func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(filePath: path(name))) }

    // MARK: As the commands see it

    func catalog() throws(Failure) -> DeviceCatalog {
        var entries: [DeviceCatalog.Entry] = []
        var answers: [String: DeviceAnswer] = [:]
        for (number, name) in names.enumerated() {
            let path = path(name)
            answers[path] = answer(name)
            entries.append(
                DeviceCatalog.Entry(
                    path: path, device: DeviceNumber(major: 8, minor: UInt32(number)),
                    byteCount: fileByteCount(path) ?? 0))
        }
        let catalog = DeviceCatalog(
            seconds: 30, isInChild: false, willProbe: { _ in }, list: { [entries] in entries }
        ) { [answers] (path) in answers[path] ?? DeviceAnswer() }
        catalog.isRoot = isRoot
        try catalog.refresh()
        return catalog
    }

    private func answer(_ name: String) -> DeviceAnswer {
        var answer = DeviceAnswer()
        answer.failure = failures[name]
        answer.content.type = contents[name]
        guard answer.failure == nil, let bytes = try? bytes(name) else { return answer }
        answer.blocks = Superblock.slotOffsets.compactMap { offset in
            let end = Int(offset) + Superblock.byteCount
            return end <= bytes.count ? Array(bytes[Int(offset)..<end]) : nil
        }
        return answer
    }

    func isBlockDevice(_ path: String) throws(Failure) -> Bool {
        names.contains { self.path($0) == path }
    }

    func user(of path: String) throws(Failure) -> String? { users[URL(filePath: path).lastPathComponent] }
}
