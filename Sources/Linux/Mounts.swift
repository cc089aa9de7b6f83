import Basics
import CLinux

/// One mount(2).
public struct Mount: Sendable {
    public var source: String
    public var target: String
    public var type: String
    public var flags: UInt
    public var data: String

    public init(_ source: String, on target: String, type: String, flags: UInt = 0, data: String = "") {
        self.source = source
        self.target = target
        self.type = type
        self.flags = flags
        self.data = data
    }

    /// What every init mounts first; see file-hierarchy(7).
    public static let kernelFileSystems = [
        Mount("proc", on: "/proc", type: "proc", flags: UInt(noSuid | noDev | noExec)),
        Mount("sysfs", on: "/sys", type: "sysfs", flags: UInt(noSuid | noDev | noExec)),
        Mount("devtmpfs", on: "/dev", type: "devtmpfs", flags: UInt(noSuid), data: "mode=0755"),
    ]

    /// <linux/mount.h>; the C library has them as an enumeration.
    public static let readOnly: UInt = 1
    static let noSuid = 2, noDev = 4, noExec = 8
    static let move: UInt = 8192

    /// Makes the directory, if it is not there, and mounts on it. The corresponding C function is `mount`.
    public func perform() throws(Failure) {
        if mkdir(target, 0o755) != 0, torpor_errno() != EEXIST { throw Failure(lastError: "make directory", target) }
        try retrying("mount \(source) on", target) { torpor_mount(source, target, type, flags, data) }
    }
}

/// Makes the filesystem mounted at `newRoot` the root and runs `program` in this process's place, the kernel's
/// filesystems moved along; the way of switch_root(8).
/// - Returns: never where it works.
public func switchRoot(to newRoot: String, program: String) throws(Failure) -> Never {
    for mount in Mount.kernelFileSystems {
        let target = newRoot + mount.target
        if mkdir(target, 0o755) != 0, torpor_errno() != EEXIST, torpor_errno() != EROFS {
            throw Failure(lastError: "make directory", target)
        }
        try retrying("move \(mount.target) to", target) { torpor_mount(mount.target, target, "", Mount.move, "") }
    }
    try retrying("change directory to", newRoot) { chdir(newRoot) }
    try retrying("move", "\(newRoot) to /") { torpor_mount(".", "/", "", Mount.move, "") }
    try retrying("change root to", newRoot) { chroot(".") }
    try retrying("change directory to", "/") { chdir("/") }
    try execute(program)
}

/// Whether a program can be run at a path below a mounted root.
public func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }

/// Whether a path is a symbolic link, which below a root that is not ours yet cannot be followed.
public func isSymbolicLink(_ path: String) -> Bool {
    var buffer: CChar = 0
    return readlink(path, &buffer, 1) >= 0
}

/// Unmounts what is mounted last at a path. The corresponding C function is `umount`.
public func unmountFileSystem(_ target: String) throws(Failure) {
    try retrying("unmount", target) { torpor_unmount(target) }
}

extension MountEntry {
    /// Mounts once more what was mounted so, in the same way, on a folder that is there.
    public func perform() throws(Failure) {
        var flags: UInt = 0
        var data: [String] = []
        for option in fileSystemOptions {
            if let flag = MountEntry.fileSystemFlags.first(where: { $0.name == option }) {
                flags |= flag.value
            } else if option != "rw", option != "seclabel" {
                // SELinux shows the last one, but nobody may give it.
                data.append(option)
            }
        }
        let isFileSystemReadOnly = flags & Mount.readOnly != 0
        flags |= ownFlags & ~Mount.readOnly
        try retrying("mount \(source) on", target) {
            torpor_mount(source, target, type, flags, data.joined(separator: ","))
        }
        if options.contains("ro"), !isFileSystemReadOnly {
            try retrying("mount \(source) on", target) {
                torpor_mount("", target, "", flags | Mount.readOnly | MountEntry.remount | MountEntry.bind, "")
            }
        }
        try share()
    }

    /// Mounts once more a folder of a file system that is mounted elsewhere, with this mount's own options.
    /// - Parameter folder: where that folder is seen.
    public func performBinding(_ folder: String) throws(Failure) {
        try retrying("mount \(folder) on", target) { torpor_mount(folder, target, "", MountEntry.bind, "") }
        // Options of the mount itself are taken by a second call only (mount(2)).
        try retrying("mount \(folder) on", target) {
            torpor_mount("", target, "", ownFlags | MountEntry.remount | MountEntry.bind, "")
        }
        try share()
    }

    /// The flags of this mount, as far as it has its own.
    private var ownFlags: UInt {
        var flags: UInt = options.contains("ro") ? Mount.readOnly : 0
        for option in options {
            if let flag = MountEntry.mountFlags.first(where: { $0.name == option }) { flags |= flag.value }
        }
        if !options.contains("relatime"), !options.contains("noatime") { flags |= MountEntry.strictAccessTime }
        return flags
    }

    private func share() throws(Failure) {
        let isShared = propagation.contains { $0.utf8.starts(with: "shared:".utf8) }
        try retrying("mount \(source) on", target) {
            torpor_mount("", target, "", isShared ? MountEntry.shared : MountEntry.notShared, "")
        }
    }

    // <linux/mount.h>
    private static let fileSystemFlags: [(name: String, value: UInt)] = [
        ("ro", Mount.readOnly), ("sync", 16), ("dirsync", 128), ("lazytime", 1 << 25),
    ]
    private static let mountFlags: [(name: String, value: UInt)] = [
        ("nosuid", 2), ("nodev", 4), ("noexec", 8), ("nosymfollow", 256), ("noatime", 1 << 10),
        ("nodiratime", 1 << 11), ("relatime", 1 << 21),
    ]
    private static let remount: UInt = 32, bind: UInt = 4096, notShared: UInt = 1 << 18, shared: UInt = 1 << 20
    private static let strictAccessTime: UInt = 1 << 24
}
