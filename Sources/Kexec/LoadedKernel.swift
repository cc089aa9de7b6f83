// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Whether a kernel is loaded for kexec; nil if the kernel does not tell.
/// - Parameter sys: where sysfs is mounted.
public func isKernelLoaded(_ sys: String = "/sys") -> Bool? {
    // Linux 6.19 gave it a folder and kept the old name as a link.
    for path in ["kernel/kexec_loaded", "kernel/kexec/loaded"] {
        if let text = try? readText("\(sys)/\(path)") { return trimmed(text) != "0" }
    }
    return nil
}
