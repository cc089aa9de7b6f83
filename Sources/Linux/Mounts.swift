// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// The arguments of one mount(2).
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

    /// The file systems that every init mounts first; see file-hierarchy(7).
    public static let kernelFileSystems = [
        Mount("proc", on: "/proc", type: "proc", flags: UInt(noSuid | noDev | noExec)),
        Mount("sysfs", on: "/sys", type: "sysfs", flags: UInt(noSuid | noDev | noExec)),
        Mount("devtmpfs", on: "/dev", type: "devtmpfs", flags: UInt(noSuid), data: "mode=0755"),
    ]

    // Flags of <linux/mount.h>. The C library declares them as an enumeration.
    public static let readOnly: UInt = 1
    static let noSuid = 2, noDev = 4, noExec = 8
    static let move: UInt = 8192

    /// Makes the directory if it does not exist, and mounts on it. The corresponding C function is `mount`.
    public func perform() throws(Failure) {
        if mkdir(target, 0o755) != 0, torpor_errno() != EEXIST { throw Failure(lastError: "make directory", target) }
        try retrying("mount \(source) on", target) { torpor_mount(source, target, type, flags, data) }
    }
}

/// Makes the file system at `newRoot` the root, moves the mounts of proc, sysfs and devtmpfs there, and replaces this process
/// with `program`, as switch_root(8) does.
/// - Returns: only by throwing.
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

/// Whether this process may execute the file at a path.
public func isExecutable(_ path: String) -> Bool { access(path, X_OK) == 0 }

/// Whether a path is a symbolic link. Below a root that is not `/` yet, following the link would lead to a wrong file.
public func isSymbolicLink(_ path: String) -> Bool {
    var buffer: CChar = 0
    return readlink(path, &buffer, 1) >= 0
}

/// Unmounts the topmost mount at a path. The corresponding C function is `umount`.
public func unmountFileSystem(_ target: String) throws(Failure) {
    try retrying("unmount", target) { torpor_unmount(target) }
}
