// SPDX-License-Identifier: Apache-2.0
import Basics

/// Builds the initramfs again, with torpor-resume in it: then an ordinary start resumes a session.
struct InitramfsStep: SetupStep {
    func intention(_ context: SetupContext) throws(Failure) -> SetupIntention {
        let builder = try builder(context)
        return .change(
            "put torpor-resume into the initramfs, with: \(([builder.program] + builder.arguments).joined(separator: " "))"
        )
    }

    func perform(_ context: SetupContext, _ record: inout SetupRecord) throws(Failure) {
        let builder = try builder(context)
        if let dropIn = builder.dropIn { try context.write(dropIn.path, dropIn.content, &record) }
        // Before the program runs: it may have replaced the initramfs when it fails.
        record.hasBuiltInitramfs = true
        try context.run(builder.program, builder.arguments)
    }

    /// Builds the initramfs without torpor-resume, also while the settings stay.
    func undo(_ context: SetupContext, _ record: inout SetupRecord) throws(Failure) {
        guard record.hasBuiltInitramfs else { return }
        try context.takeBack(InitramfsStep.mkinitcpioDropIn, &record)
        if let builder = try? builder(context) {
            context.say("building the initramfs without torpor-resume")
            try context.run(builder.program, builder.arguments, environment: InitramfsStep.removal)
        }
        record.hasBuiltInitramfs = false
    }

    /// A program that builds the initramfs of a distribution.
    struct Builder: Equatable {
        let program: String
        let arguments: [String]
        /// A file that makes it use Torpor's hook.
        var dropIn: DropIn?

        struct DropIn: Equatable {
            let path, content: String
        }
    }

    /// The hooks of initramfs-tools and dracut add nothing if they find it; that of mkinitcpio goes with the drop-in.
    private static let removal = ["TORPOR_REMOVAL": "yes"]
    private static let mkinitcpioDropIn = "/etc/mkinitcpio.conf.d/torpor.conf"

    /// The builder of this system.
    /// - Throws: if there is none, or if Torpor's hook for it is not installed.
    func builder(_ context: SetupContext) throws(Failure) -> Builder {
        var missing: [String] = []
        for (name, hook, arguments) in [
            ("update-initramfs", "/usr/share/initramfs-tools/hooks/torpor", ["-u", "-k", "all"]),
            ("dracut", "/usr/lib/dracut/modules.d/74torpor/module-setup.sh", ["--force", "--regenerate-all"]),
            ("mkinitcpio", "/usr/lib/initcpio/install/torpor", ["-P"]),
        ] {
            guard let program = context.boot.program(name) else { continue }
            // dracut and initramfs-tools may both be there; the hook tells which one is meant.
            guard context.boot.exists(hook) else {
                missing.append(name)
                continue
            }
            return Builder(
                program: program, arguments: arguments,
                dropIn: name == "mkinitcpio"
                    ? Builder.DropIn(path: InitramfsStep.mkinitcpioDropIn, content: InitramfsStep.mkinitcpioHooks) : nil
            )
        }
        guard let name = missing.first else {
            throw Failure(
                "set up", "the initramfs", "neither initramfs-tools nor dracut nor mkinitcpio is here",
                remedy: "put torpor-resume into the initramfs as /usr/share/doc/torpor/docs/boot.md says")
        }
        let hook = name == "update-initramfs" ? "initramfs-tools" : name
        throw Failure(
            "set up", "the initramfs", "Torpor's hook for \(hook) is not installed",
            remedy: "install Torpor's package, or run: make install HOOKS=\(hook)")
    }

    /// mkinitcpio reads it after /etc/mkinitcpio.conf (mkinitcpio 36 and newer). The hook comes before the file systems and all
    /// that opens their devices.
    private static let mkinitcpioHooks = """
        # Written by torpor setup. It puts Torpor's hook before those that open or mount the disks of the system.
        torpor_hooks=() torpor_hook=torpor
        for hook in "${HOOKS[@]}"; do [[ $hook != systemd ]] || torpor_hook=sd-torpor; done
        for hook in "${HOOKS[@]}"; do
            case $hook in
                torpor | sd-torpor) continue ;;
                encrypt | sd-encrypt | lvm2 | mdadm_udev | resume | filesystems)
                    if [[ -n $torpor_hook ]]; then torpor_hooks+=("$torpor_hook") torpor_hook=; fi
                    ;;
            esac
            torpor_hooks+=("$hook")
        done
        HOOKS=("${torpor_hooks[@]}")
        unset torpor_hooks torpor_hook hook

        """
}
