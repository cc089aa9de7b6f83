// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// Loads a kernel module. The corresponding system call is `finit_module`.
/// - Parameters:
///   - path: the module's file; it is not compressed.
///   - options: the module's parameters, separated by spaces.
/// - Throws: if the kernel refuses the module, with the reason that errno stands for (finit_module(2)). A module that the
///   kernel has already is no failure.
public func loadModule(_ path: String, options: String) throws(Failure) {
    let file = try File(path)
    do throws(Failure) {
        try retrying("load the kernel module", path) { torpor_load_module(file.descriptor, options) }
    } catch {
        switch error.errno {
        case EEXIST: return
        case ENOEXEC:
            throw Failure(error.operation, path, "it is no module for this kernel", errno: ENOEXEC)
        case EKEYREJECTED, EBADMSG:
            throw Failure(error.operation, path, "the kernel does not accept its signature", errno: error.errno)
        case ENOENT:
            throw Failure(
                error.operation, path, "it needs symbols that this kernel does not have", errno: ENOENT)
        default: throw error
        }
    }
}
