// SPDX-License-Identifier: Apache-2.0

/// Where the kernel shows itself; other folders in tests.
struct SystemFolders {
    var proc = "/proc"
    var sys = "/sys"
    /// The device whose opening prepares for a hibernation.
    var device = "/dev/snapshot"
}
