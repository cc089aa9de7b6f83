// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import BlockDevices
import Hibernation
import MemoryImage

/// The options of `check` and `hibernate`: the partition, kernel B, and exceptions from the checks.
struct KernelBOptions: ParsableArguments {
    @Option(help: "The hibernation partition; required if there are several.")
    var device: DeviceName?

    @Option(
        help:
            """
            The kernel to load as kernel B. (default: /usr/lib/torpor/vmlinuz if it is installed, else /boot/vmlinuz-RELEASE of the \
            running kernel)
            """, completion: .file())
    var kernel: String?

    @Option(
        help:
            """
            The initramfs of kernel B: a rootfs.gz of Torpor. (default: /var/lib/torpor/rootfs-RELEASE.gz for the running kernel \
            if it exists, else /usr/lib/torpor/rootfs.gz)
            """, completion: .file())
    var initrd: String?

    @Option(help: "The compression: none, lz4, zstd[:LEVEL] or xz[:LEVEL].")
    var codec = Codec.standard

    @Option(
        help: "Kernels B and C use the memory below this address, a multiple of 64M. (default: auto)",
        completion: .list(["auto", "64M", "128M", "256M"]), transform: backupEnd)
    var backupEnd = BackupEndOption.automatic

    @Option(help: "More parameters for kernel B's command line.")
    var append = ""

    @Flag(
        inversion: .prefixedNo, exclusivity: .chooseLast,
        help: "Hibernate even if some file systems cannot be checked for outside changes at resume.")
    var allowUnwatched = false

    @Flag(
        inversion: .prefixedNo, exclusivity: .chooseLast,
        help:
            "Hibernate even if the running kernel's release is older than the first ones with the fix for the jump back."
    )
    var allowOldKernel = false

    /// The settings of /etc/torpor.conf for these options.
    static let configurationKeys = [
        "device", "kernel", "initrd", "codec", "backup-end", "append", "allow-unwatched", "allow-old-kernel",
    ]

    enum BackupEndOption {
        case automatic
        case bytes(UInt64)
    }

    private static func backupEnd(_ text: String) throws -> BackupEndOption {
        if text == "auto" { return .automatic }
        guard let bytes = parseSize(text) else {
            throw ValidationError("\(text) is neither auto nor a size such as 128M.")
        }
        return .bytes(bytes)
    }

    /// The paths of kernel B and its initramfs. Torpor's own kernel has the drivers of disks built in, so it takes a rootfs.gz
    /// without modules; the running kernel takes the one with its modules.
    private func files(_ environment: CommandEnvironment) -> (kernel: String, initrd: String) {
        let own = "/boot/vmlinuz-\(environment.kernelRelease)", torpor = "/usr/lib/torpor/vmlinuz"
        let kernel = self.kernel ?? (environment.exists(torpor) ? torpor : own)
        let withModules = "/var/lib/torpor/rootfs-\(environment.kernelRelease).gz"
        let hasModules = kernel != torpor && environment.exists(withModules)
        return (kernel, initrd ?? (hasModules ? withModules : "/usr/lib/torpor/rootfs.gz"))
    }

    /// The hibernation that these options ask for.
    func plan(_ environment: CommandEnvironment, after: AfterSave = .powerOff) -> Hibernate {
        let (kernel, initrd) = files(environment)
        var plan = Hibernate(device: device, kernelPath: kernel, initrdPath: initrd)
        plan.after = after
        plan.codec = codec
        if case .bytes(let bytes) = backupEnd { plan.backupEnd = bytes }
        plan.extraWords = append
        plan.isUnwatchedAllowed = allowUnwatched
        plan.isOldKernelAllowed = allowOldKernel
        return plan
    }
}

extension AfterSave: ExpressibleByArgument {}

extension Codec: ExpressibleByArgument {
    public init?(argument: String) {
        guard let codec = try? Codec(parsing: argument) else { return nil }
        self = codec
    }
}

extension DeviceName: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
