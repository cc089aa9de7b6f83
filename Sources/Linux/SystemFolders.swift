// SPDX-License-Identifier: Apache-2.0

/// The folders that the kernel mounts /proc and /sys on; tests use others.
public struct SystemFolders {
    public var proc = "/proc"
    public var sys = "/sys"
    /// The device whose opening prepares for a hibernation.
    public var device = "/dev/snapshot"

    public init(proc: String = "/proc", sys: String = "/sys", device: String = "/dev/snapshot") {
        self.proc = proc
        self.sys = sys
        self.device = device
    }
}
