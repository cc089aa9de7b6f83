// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// Checks whether the running kernel lets this process load a kernel and jump into it, without a call of kexec_load(2): each
/// call counts against kernel.kexec_load_limit_reboot (6.12, kernel/kexec_core.c, `kexec_load_permitted`).
public struct KexecPermission {
    // The texts of the kernel's files; nil for a file that does not exist.
    var loadLimit: String?
    var loadDisabled: String?
    var lockdown: String?
    /// /proc/self/status.
    var status: String?
    /// The kernel's configuration.
    var configuration: KernelConfiguration?

    /// The number of calls of kexec_load(2) in a hibernation: it loads kernel B, and unloads it afterwards.
    static let neededCalls: UInt64 = 2

    /// Reads the running kernel's files.
    /// - Parameter release: the running kernel's release.
    init(release: String) {
        loadLimit = try? readText(KexecPermission.limitPath)
        loadDisabled = try? readText("/proc/sys/kernel/kexec_load_disabled")
        lockdown = try? readText("/sys/kernel/security/lockdown")
        status = try? readText("/proc/self/status")
        configuration = KernelConfiguration(release: release)
    }

    init() {}

    /// The number of calls that are left; nil if the kernel does not count them.
    var callsLeft: UInt64? {
        guard let loadLimit else { return nil }
        return parseNumber(trimmed(loadLimit))
    }

    /// Refuses to load kernel B again if no call would be left to unload it: it would stay loaded, and an init system that
    /// restarts the machine would jump into it.
    public static func requireReload() throws(Failure) {
        var permission = KexecPermission()
        permission.loadLimit = try? readText(limitPath)
        try permission.requireReload()
    }

    func requireReload() throws(Failure) {
        guard let left = callsLeft, left < KexecPermission.neededCalls else { return }
        throw Failure(
            "load", "kernel B",
            "the kernel has moved the page for kernel B's report, and kernel.kexec_load_limit_reboot allows \(left) more "
                + "kexec loads, too few to load kernel B again", remedy: "try again, or reboot with a higher limit")
    }

    private static let limitPath = "/proc/sys/kernel/kexec_load_limit_reboot"

    /// Refuses if a hibernation is known to fail.
    /// - Returns: a warning if the answer is unknown; nil if it is certain.
    func check() throws(Failure) -> String? {
        let operation = "hibernate through", kernel = "a second kernel"
        if let status, !hasBootCapability(status) {
            throw Failure(operation, kernel, "this process lacks CAP_SYS_BOOT", remedy: "run this as root")
        }
        if let loadDisabled, trimmed(loadDisabled) != "0" {
            throw Failure(
                operation, kernel, "kernel.kexec_load_disabled is set",
                remedy: "reboot without setting it: it cannot be cleared")
        }
        if let lockdown, !lockdown.utf8.starts(with: "[none]".utf8) {
            throw Failure(
                operation, kernel, "the kernel is locked down (\(trimmed(lockdown)))",
                remedy: "boot without lockdown= and with Secure Boot off")
        }
        if let left = callsLeft, left < KexecPermission.neededCalls {
            throw Failure(
                operation, kernel,
                "kernel.kexec_load_limit_reboot allows \(left) more kexec loads, and a hibernation needs "
                    + "\(KexecPermission.neededCalls)",
                remedy: "reboot without setting it, or with a higher limit: it can only be lowered")
        }
        guard let configuration else {
            return
                "cannot check whether the running kernel has CONFIG_KEXEC_JUMP: its configuration is not in /boot, and a "
                + "test would count against kernel.kexec_load_limit_reboot"
        }
        for option in ["CONFIG_KEXEC", "CONFIG_KEXEC_JUMP"] where !configuration.isSet(option) {
            throw Failure(
                operation, kernel, "the running kernel has no \(option)", remedy: "boot one with CONFIG_KEXEC_JUMP")
        }
        return nil
    }

    /// Whether the effective capabilities include CAP_SYS_BOOT, bit 22 (<linux/capability.h>).
    private func hasBootCapability(_ status: String) -> Bool {
        for line in status.split(separator: "\n") where line.utf8.starts(with: "CapEff:".utf8) {
            guard let digits = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).last else { return true }
            return parseHexadecimal(digits).map { $0 & 1 << 22 != 0 } ?? true
        }
        return true
    }
}
