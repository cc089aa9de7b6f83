// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Whether a kexec image is loaded; nil if the running kernel does not show it.
/// - Parameter sys: the mount point of sysfs.
public func isKernelLoaded(_ sys: String = "/sys") -> Bool? {
    // Linux 6.19 moved the file to a folder and kept the old name as a link.
    for path in ["kernel/kexec_loaded", "kernel/kexec/loaded"] {
        if let text = try? readText("\(sys)/\(path)") { return trimmed(text) != "0" }
    }
    return nil
}
