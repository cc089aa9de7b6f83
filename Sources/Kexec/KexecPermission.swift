// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Whether the running kernel lets this process load a kernel and jump into it, found out without kexec_load(2): that call
/// counts against kernel.kexec_load_limit_reboot (6.12, kernel/kexec_core.c, `kexec_load_permitted`).
public struct KexecPermission {
    /// The texts of the files that tell; nil for one that is not there.
    var loadLimit: String?
    var loadDisabled: String?
    var lockdown: String?
    /// /proc/self/status.
    var status: String?
    /// The kernel's configuration.
    var configuration: KernelConfiguration?

    /// Calls of kexec_load(2) that a hibernation makes: it loads kernel B, and unloads it afterwards.
    static let neededCalls: UInt64 = 2

    /// - Parameter release: the running kernel's.
    init(release: String) {
        loadLimit = try? readText(KexecPermission.limitPath)
        loadDisabled = try? readText("/proc/sys/kernel/kexec_load_disabled")
        lockdown = try? readText("/sys/kernel/security/lockdown")
        status = try? readText("/proc/self/status")
        configuration = KernelConfiguration(release: release)
    }

    init() {}

    /// The calls that are left; nil if they are not counted.
    var callsLeft: UInt64? {
        guard let loadLimit else { return nil }
        return parseNumber(trimmed(loadLimit))
    }

    /// Refuses to load kernel B once more if no call would be left to unload it: it would stay loaded, and an init restarts into
    /// what is loaded.
    public static func requireReload() throws(Failure) {
        var permission = KexecPermission()
        permission.loadLimit = try? readText(limitPath)
        try permission.requireReload()
    }

    func requireReload() throws(Failure) {
        guard let left = callsLeft, left < KexecPermission.neededCalls else { return }
        throw Failure(
            "load", "kernel B",
            "the kernel has moved the page that the report goes to, and kernel.kexec_load_limit_reboot allows \(left) more "
                + "calls, too few to load it again", remedy: "try again, or boot again with a higher limit")
    }

    private static let limitPath = "/proc/sys/kernel/kexec_load_limit_reboot"

    /// Refuses what is known to fail.
    /// - Returns: what could not be known, as a sentence; nil if all is known.
    func check() throws(Failure) -> String? {
        let what = "hibernate through", kernel = "a second kernel"
        if let status, !hasBootCapability(status) {
            throw Failure(what, kernel, "this process has not CAP_SYS_BOOT", remedy: "run this as root")
        }
        if let loadDisabled, trimmed(loadDisabled) != "0" {
            throw Failure(
                what, kernel, "kernel.kexec_load_disabled is set",
                remedy: "boot again without setting it: it cannot be cleared")
        }
        if let lockdown, !lockdown.utf8.starts(with: "[none]".utf8) {
            throw Failure(
                what, kernel, "the kernel is locked down (\(trimmed(lockdown)))",
                remedy: "boot without lockdown= and with Secure Boot off")
        }
        if let left = callsLeft, left < KexecPermission.neededCalls {
            throw Failure(
                what, kernel,
                "kernel.kexec_load_limit_reboot allows \(left) more loads, and a hibernation needs "
                    + "\(KexecPermission.neededCalls)",
                remedy: "boot again without setting it, or set it higher then: it can only be lowered")
        }
        guard let configuration else {
            return "whether this kernel has CONFIG_KEXEC_JUMP is not known: kernel.kexec_load_limit_reboot counts each "
                + "attempt to find out, and its configuration is not in /boot"
        }
        for option in ["CONFIG_KEXEC", "CONFIG_KEXEC_JUMP"] where !configuration.isSet(option) {
            throw Failure(what, kernel, "the running kernel has no \(option)", remedy: "use one with CONFIG_KEXEC_JUMP")
        }
        return nil
    }

    /// Whether the effective capabilities have CAP_SYS_BOOT, bit 22 (<linux/capability.h>).
    private func hasBootCapability(_ status: String) -> Bool {
        for line in status.split(separator: "\n") where line.utf8.starts(with: "CapEff:".utf8) {
            guard let digits = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).last else { return true }
            return parseHexadecimal(digits).map { $0 & 1 << 22 != 0 } ?? true
        }
        return true
    }
}
