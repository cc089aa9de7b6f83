// SPDX-License-Identifier: Apache-2.0
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
