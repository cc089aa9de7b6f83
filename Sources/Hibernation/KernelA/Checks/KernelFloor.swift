// SPDX-License-Identifier: Apache-2.0
import Basics

/// The oldest kernels that come back from a jump: 6.12.107 of the 6.12 series, and 6.14. Those before lack "Restore GDT on
/// return from ::preserve_context kexec" (07fa619f2a40): the jump back resets the machine, and the session is lost.
struct KernelFloor {
    /// Refuses a release that is older, and one that does not tell how old it is.
    /// - Parameter release: as uname(2) tells it, with whatever a distribution appends.
    static func require(_ release: String) throws(Failure) {
        let remedy =
            "use 6.12.107 or newer of the 6.12 series, or 6.14 or newer; if its makers have added that fix, use "
            + "--allow-old-kernel"
        guard let version = KernelVersion(release: release) else {
            throw Failure(
                "hibernate", "",
                "the running kernel's release, \(release), does not tell whether it can come back from a jump",
                remedy: remedy)
        }
        let isNew = version >= KernelVersion(6, 14) || KernelVersion(6, 12, 107)..<KernelVersion(6, 13) ~= version
        guard isNew else {
            throw Failure(
                "hibernate", "",
                "the running kernel, \(release), lacks a fix without which the jump back resets the machine (\"Restore GDT on "
                    + "return from preserve_context kexec\")", remedy: remedy)
        }
    }
}
