// SPDX-License-Identifier: Apache-2.0
import Basics
import Kexec
import Linux

/// Lets one process at a time hibernate: a second one would load its kernel B over the first one's, and could jump to a kernel
/// that is gone after the first one's resume.
///
/// The lock is one on /proc/kcore: every hibernation needs that file, only root can open it, and there is nothing to be made or
/// left behind, so that it works without /run too.
struct HibernationLock: ~Copyable {
    private let lock: FileLock?

    /// - Throws: if another process hibernates. A system without the file or without locks goes without; who cannot open the
    ///   file hears of it when it is read.
    init(_ path: String = "/proc/kcore") throws(Failure) {
        do throws(Failure) { lock = try FileLock(path) } catch {
            guard error.errno != ErrorNumber.wouldBlock else {
                throw Failure(
                    "hibernate", "", "another torpor hibernate is running (\(error.reason))", remedy: "wait for its end"
                )
            }
            lock = nil
        }
    }
}

/// Refuses if somebody has loaded a kernel for kexec: it would be replaced, and what it is for (a faster restart, say) would be
/// gone. A kernel for crashes has a place of its own.
/// - Parameter sys: where sysfs is mounted.
func requireNoLoadedKernel(_ sys: String = "/sys") throws(Failure) {
    guard isKernelLoaded(sys) == true else { return }
    throw Failure(
        "hibernate", "", "a kernel is loaded for kexec already, and would be replaced",
        remedy: "if nothing needs it, unload it with: kexec -u")
}
