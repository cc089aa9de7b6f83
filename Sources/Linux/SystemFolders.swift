// SPDX-License-Identifier: Apache-2.0

/// The mount points of proc and sysfs, and a device. Tests use others.
public struct SystemFolders {
    public var proc = "/proc"
    public var sys = "/sys"
    /// The device of the kernel's own hibernation. Opening it calls the kernel's hibernation notifiers.
    public var device = "/dev/snapshot"

    public init(proc: String = "/proc", sys: String = "/sys", device: String = "/dev/snapshot") {
        self.proc = proc
        self.sys = sys
        self.device = device
    }
}
