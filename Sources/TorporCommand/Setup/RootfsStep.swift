// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// Builds rootfs.gz with the modules of the running kernel. Torpor's own kernel needs none.
struct RootfsStep: SetupStep {
    private static let script = "\(SetupContext.library)/update-rootfs.sh"
    private static let folder = "/var/lib/torpor"

    func intention(_ context: SetupContext) throws(Failure) -> SetupIntention {
        let kernel = "\(SetupContext.library)/vmlinuz"
        if context.boot.exists(kernel) {
            return .nothing("\(kernel) has the drivers of disks built in, so it needs no rootfs.gz of its own")
        }
        guard context.boot.exists(RootfsStep.script) else {
            throw Failure(
                "build", "rootfs.gz", "\(RootfsStep.script) is missing",
                remedy: "install Torpor's package, or run: make install HOOKS=kernel")
        }
        return .change("build \(path(context))")
    }

    func perform(_ context: SetupContext, _ record: inout SetupRecord) throws(Failure) {
        try context.run(RootfsStep.script, ["add", context.environment.kernelRelease])
        record.hasBuiltRootfs = true
    }

    /// Removes those of all kernels: the hook for new kernels builds more.
    func undo(_ context: SetupContext, _ record: inout SetupRecord) throws(Failure) {
        guard record.hasBuiltRootfs else { return }
        for name in context.boot.names(in: RootfsStep.folder) where name.hasPrefix("rootfs-") && name.hasSuffix(".gz") {
            let path = "\(RootfsStep.folder)/\(name)"
            try retrying("remove", path) { unlink(context.boot.real(path)) }
            context.say("removed \(path)")
        }
        record.hasBuiltRootfs = false
    }

    private func path(_ context: SetupContext) -> String {
        "\(RootfsStep.folder)/rootfs-\(context.environment.kernelRelease).gz"
    }
}
