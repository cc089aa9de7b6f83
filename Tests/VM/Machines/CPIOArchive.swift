// SPDX-License-Identifier: Apache-2.0
import Foundation

/// A cpio archive in the `newc` format, which the kernel unpacks as its initramfs
/// (Documentation/driver-api/early-userspace/buffer-format.rst).
struct CPIOArchive {
    private var bytes = Data()
    private var folders: Set<String> = []

    mutating func add(_ path: String, contentsOf file: URL, mode: Int = 0o755) throws {
        add(path, try Data(contentsOf: file), mode: mode)
    }

    mutating func add(_ path: String, _ content: Data, mode: Int = 0o644) {
        addFolders(above: path)
        append(path, 0o100000 | mode, content)
    }

    mutating func add(_ path: String, linkTo target: String) {
        addFolders(above: path)
        append(path, 0o120777, Data(target.utf8))
    }

    /// The whole archive.
    func finished() -> Data {
        var archive = self
        archive.append("TRAILER!!!", 0, Data())
        return archive.bytes
    }

    private mutating func addFolders(above path: String) {
        let parts = path.split(separator: "/").dropLast()
        for count in 0..<parts.count {
            let folder = parts.prefix(count + 1).joined(separator: "/")
            if folders.insert(folder).inserted { append(folder, 0o040755, Data()) }
        }
    }

    private mutating func append(_ path: String, _ mode: Int, _ content: Data) {
        let name = path.hasPrefix("/") ? String(path.dropFirst()) : path
        // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        let fields = [0, mode, 0, 0, 1, 0, content.count, 0, 0, 0, 0, name.utf8.count + 1, 0]
        bytes.append(contentsOf: "070701".utf8)
        for field in fields { bytes.append(contentsOf: String(format: "%08x", field).utf8) }
        bytes.append(contentsOf: Array(name.utf8) + [0])
        align()
        bytes.append(content)
        align()
    }

    private mutating func align() { bytes.append(contentsOf: [UInt8](repeating: 0, count: (4 - bytes.count % 4) % 4)) }
}
