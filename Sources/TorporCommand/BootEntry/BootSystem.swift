// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Hibernation
import Linux

/// The part of a system that its boot loader reads and writes: files, mounts, firmware variables.
struct BootSystem: RootedFiles {
    /// Stands before every path; a test puts a folder there.
    var root = ""
    /// The UUID of a mounted file system, as GRUB and libblkid know it; nil if it has none.
    var fileSystemUUID: (MountEntry) throws(Failure) -> String? = { (mount) throws(Failure) in
        let catalog = try DeviceCatalog.ofHibernationPartitions()
        // A Btrfs has a number of its own, which is not that of its device.
        let device = DeviceNumber(path: mount.source) ?? mount.device
        return catalog.entry(device)?.content.uuid
    }

    /// The first of some paths that exists.
    func first(of paths: [String]) -> String? { paths.first { exists($0) } }

    /// The text of a file; nil if it cannot be read.
    func text(_ path: String, limit: Int = 4 << 20) -> String? {
        (try? readFile(real(path), limit: limit)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The path of a program in the folders for programs; nil if it is in none of them.
    func program(_ name: String) -> String? {
        first(of: ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map { "\($0)/\(name)" })
    }

    /// The path of an existing file without symbolic links.
    func resolved(_ path: String) -> String {
        guard let base = realPath(root.isEmpty ? "/" : root), let file = realPath(real(path)) else { return path }
        return base == "/" ? file : file.hasPrefix(base + "/") ? String(file.dropFirst(base.count)) : path
    }

    /// The mounts of this process's namespace.
    func mounts() throws(Failure) -> [MountEntry] {
        let table = try readFile(real("/proc/self/mountinfo"), limit: 256 << 20)
        return mountEntries(String(decoding: table, as: UTF8.self))
    }

    /// The mount that shows an existing directory or file.
    func mount(of path: String) throws(Failure) -> MountEntry {
        let path = resolved(path)
        // A later mount hides an earlier one at the same place.
        let mounts = try mounts().filter { BootSystem.isInside(path, $0.target) }
        guard let mount = mounts.indices.max(by: { (mounts[$0].target.count, $0) < (mounts[$1].target.count, $1) })
        else {
            throw Failure("find the file system of", path, "no mount in /proc/self/mountinfo shows it")
        }
        return mounts[mount]
    }

    /// The path of a directory or file within its file system, as a boot loader needs it.
    func pathInFileSystem(_ path: String, _ mount: MountEntry) -> String {
        let inside = mount.target == "/" ? resolved(path) : String(resolved(path).dropFirst(mount.target.count))
        return (mount.root == "/" ? "" : mount.root) + inside
    }

    private static func isInside(_ path: String, _ folder: String) -> Bool {
        folder == "/" || path == folder || path.hasPrefix(folder + "/")
    }
}
