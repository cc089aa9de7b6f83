// SPDX-License-Identifier: Apache-2.0
import Basics

/// The oldest kernels that come back from a jump: 6.12.107 of the 6.12 series, and 6.14. Older kernels lack "Restore GDT on
/// return from ::preserve_context kexec" (07fa619f2a40): the jump back resets the machine, and the session is lost.
struct KernelFloor {
    /// Refuses a release that is older, and a release without a version number.
    /// - Parameter release: the running kernel's, from uname(2), with the suffix that a distribution appends.
    static func require(_ release: String) throws(Failure) {
        let remedy =
            "use 6.12.107 or newer of the 6.12 series, or 6.14 or newer; if this kernel has the fix \"Restore GDT on return "
            + "from preserve_context kexec\", use --allow-old-kernel"
        guard let version = KernelVersion(release: release) else {
            throw Failure(
                "hibernate", "",
                "cannot check whether the running kernel comes back from a jump: its release, \(release), has no version",
                remedy: remedy)
        }
        let isNew = version >= KernelVersion(6, 14) || KernelVersion(6, 12, 107)..<KernelVersion(6, 13) ~= version
        guard isNew else {
            throw Failure(
                "hibernate", "",
                "the running kernel, \(release), is older than a fix without which the jump back resets the machine",
                remedy: remedy)
        }
    }
}
