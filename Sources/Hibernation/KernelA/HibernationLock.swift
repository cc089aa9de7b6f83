// SPDX-License-Identifier: Apache-2.0
import Basics
import Kexec
import Linux

/// Lets only one process hibernate at a time. A second process would replace the kernel B of the first one. After the first
/// one's resume, the second one could jump into a kernel that is no longer loaded.
///
/// The lock is on /proc/kcore: every hibernation needs that file, and only root can open it. Nothing is created, so the lock
/// works without /run, and nothing stays behind.
struct HibernationLock: ~Copyable {
    private let lock: FileLock?

    /// Takes the lock. If the file does not exist or cannot be locked, this succeeds without a lock; a file that cannot be
    /// opened makes a later check fail.
    /// - Throws: if another process hibernates.
    init(_ path: String = "/proc/kcore") throws(Failure) {
        do throws(Failure) { lock = try FileLock(path) } catch {
            guard error.errno != ErrorNumber.wouldBlock else {
                throw Failure(
                    "hibernate", "", "another torpor hibernate is running (\(error.reason))",
                    remedy: "wait until it ends")
            }
            lock = nil
        }
    }
}

/// Refuses if a kernel is loaded for kexec, for example for a faster restart: kernel B would replace it. A crash kernel does
/// not count, because the kernel keeps it separately.
/// - Parameter sys: the mount point of sysfs.
func requireNoLoadedKernel(_ sys: String = "/sys") throws(Failure) {
    guard isKernelLoaded(sys) == true else { return }
    throw Failure(
        "hibernate", "", "a kernel is already loaded for kexec, and kernel B would replace it",
        remedy: "if nothing needs it, unload it with: kexec -u")
}
