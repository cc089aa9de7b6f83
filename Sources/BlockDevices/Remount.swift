// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

extension MountEntry {
    /// Mounts the file system again, with the same options, on its existing target folder.
    public func perform() throws(Failure) {
        var flags: UInt = 0
        var data: [String] = []
        for option in fileSystemOptions {
            if let flag = MountEntry.fileSystemFlags.first(where: { $0.name == option }) {
                flags |= flag.value
            } else if option != "rw", option != "seclabel" {
                // SELinux shows `seclabel`, but mount(2) does not accept it.
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

    /// Mounts again by a bind mount, with this mount's own options.
    /// - Parameter folder: the source folder, on another mount of the file system.
    public func performBinding(_ folder: String) throws(Failure) {
        try retrying("mount \(folder) on", target) { torpor_mount(folder, target, "", MountEntry.bind, "") }
        // The first call ignores the options of the mount; a second one sets them (mount(2)).
        try retrying("mount \(folder) on", target) {
            torpor_mount("", target, "", ownFlags | MountEntry.remount | MountEntry.bind, "")
        }
        try share()
    }

    /// The flags of this mount, without those of the file system.
    private var ownFlags: UInt {
        var flags: UInt = options.contains("ro") ? Mount.readOnly : 0
        for option in options {
            if let flag = MountEntry.mountFlags.first(where: { $0.name == option }) { flags |= flag.value }
        }
        if !options.contains("relatime"), !options.contains("noatime") { flags |= MountEntry.strictAccessTime }
        return flags
    }

    /// Makes the mount shared or private, as it was.
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
