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

    @Option(help: "The kernel to load as kernel B. (default: /boot/vmlinuz-RELEASE of the running kernel)")
    var kernel: String?

    @Option(help: "The initramfs of kernel B: a rootfs.gz of Torpor.")
    var initrd = "/usr/lib/torpor/rootfs.gz"

    @Option(help: "The compression: none, lz4, zstd[:LEVEL] or xz[:LEVEL].")
    var codec = Codec.standard

    @Option(
        help: "Kernels B and C use the memory below this address, a multiple of 64M. (default: auto)",
        transform: backupEnd)
    var backupEnd = BackupEndOption.automatic

    @Option(help: "More parameters for kernel B's command line.")
    var append = ""

    @Flag(help: "Hibernate even if some file systems cannot be checked for outside changes at resume.")
    var allowUnwatched = false

    @Flag(
        help:
            "Hibernate even if the running kernel's release is older than the first ones with the fix for the jump back."
    )
    var allowOldKernel = false

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

    /// The hibernation that these options ask for.
    func plan(_ environment: CommandEnvironment, after: AfterSave = .powerOff) -> Hibernate {
        var plan = Hibernate(
            device: device, kernelPath: kernel ?? "/boot/vmlinuz-\(environment.kernelRelease)", initrdPath: initrd)
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
