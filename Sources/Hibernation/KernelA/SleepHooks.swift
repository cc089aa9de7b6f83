// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux

/// The preparations of the kernel and its drivers for a hibernation, as long as this exists. The jump itself does not make
/// them: drivers evict video memory, the kernel caches firmware and disables BPF schedulers.
///
/// Opening /dev/snapshot starts the preparations, and closing it reverts them. While it is open, the kernel refuses to
/// hibernate by itself (6.12, kernel/power/user.c, `snapshot_open`).
struct SleepHooks: ~Copyable {
    private let file: File?

    /// - Parameter findings: gets a warning if the kernel has no /dev/snapshot.
    /// - Throws: if the kernel or a driver refuses. The preparations are reverted then.
    init(_ findings: inout Findings, _ system: SystemFolders = SystemFolders()) throws(Failure) {
        do throws(Failure) { file = try File(system.device, .readOnly) } catch {
            switch error.errno {
            case ErrorNumber.noEntry, ErrorNumber.noDevice, ErrorNumber.noAddress:
                file = nil
                SleepHooks.warn(&findings, system)
            case ErrorNumber.notPermitted: throw SleepHooks.refusal(system)
            case ErrorNumber.busy:
                let holder = ProcessTable(system.proc).holder { $0.utf8.elementsEqual(system.device.utf8) }
                throw Failure(
                    "hibernate", "",
                    "another hibernation is in progress: "
                        + (holder.map { "\(ProcessTable(system.proc).describe($0)) has \(system.device) open" }
                            ?? "\(system.device) is in use"),
                    remedy: "wait until it ends", errno: error.errno)
            default:
                throw Failure(
                    "hibernate", "",
                    "a driver refuses to prepare for hibernation (open \(system.device): \(error.reason))",
                    remedy: "find the driver in dmesg, and end the programs that use its device", errno: error.errno)
            }
        }
    }

    /// Reverts the preparations.
    consuming func close() {}

    /// Makes the checks of `init` that need no preparation. Changes nothing.
    static func check(_ findings: inout Findings, _ system: SystemFolders = SystemFolders()) throws(Failure) {
        if let modes = try? readText("\(system.sys)/power/disk"), trimmed(modes) == "[disabled]" {
            throw refusal(system)
        }
        if !exists(system.device) { warn(&findings, system) }
    }

    private static func warn(_ findings: inout Findings, _ system: SystemFolders) {
        findings.warn(
            "the kernel has no \(system.device), so drivers do not prepare for hibernation: the contents of video memory may "
                + "be lost",
            remedy: "use a kernel with CONFIG_HIBERNATION_SNAPSHOT_DEV")
    }

    /// The reason why the kernel does not permit hibernation (6.12, kernel/power/hibernate.c, `hibernation_available`).
    static func refusal(_ system: SystemFolders) -> Failure {
        func failure(_ reason: String, _ remedy: String) -> Failure {
            Failure("hibernate", "", reason, remedy: remedy, errno: ErrorNumber.notPermitted)
        }
        let parameters = KernelCommandLine((try? readText("\(system.proc)/cmdline")) ?? "").parameters
        if let parameter = parameters.first(where: { forbidsHibernation($0) }) {
            return failure(
                "\(parameter.utf8.printable) on the kernel command line forbids hibernation",
                "boot without that parameter")
        }
        if let lockdown = try? readText("\(system.sys)/kernel/security/lockdown"),
            !lockdown.containsBytes("[none]")
        {
            return failure(
                "the kernel is locked down (\(trimmed(lockdown)))", "boot without lockdown= and with Secure Boot off")
        }
        let processes = ProcessTable(system.proc)
        if let process = processes.holder(isMapped: true, isSecretMemory) {
            return failure(
                "\(processes.describe(process)) has secret memory (memfd_secret), which must not be written to a disk",
                "end that program")
        }
        let cxl = (try? listDirectory("\(system.sys)/bus/cxl/devices")) ?? []
        if let memory = cxl.first(where: { $0.utf8.starts(with: "mem".utf8) }) {
            return failure(
                "the kernel does not hibernate with CXL memory (\(memory))",
                "unbind the device from the driver cxl_mem if nothing uses it")
        }
        return failure(
            "the kernel does not permit hibernation, because of nohibernate, lockdown, secret memory (memfd_secret) or CXL "
                + "memory",
            "look at dmesg, and look for programs that use memfd_secret")
    }

    /// Whether a kernel parameter forbids hibernation (6.12, kernel/power/hibernate.c, `hibernate_setup`).
    private static func forbidsHibernation(_ parameter: String) -> Bool {
        if parameter.utf8.starts(with: "nohibernate".utf8) { return true }
        return parameter.utf8.starts(with: "hibernate=no".utf8)
            && !parameter.utf8.starts(with: "hibernate=noresume".utf8)
            && !parameter.utf8.starts(with: "hibernate=nocompress".utf8)
    }

    /// Whether a path that /proc shows belongs to secret memory (6.12, mm/secretmem.c, `secretmem_file_create`).
    static func isSecretMemory(_ path: String) -> Bool {
        let name = Array(path.utf8)
        let file = name.before(" (deleted)").map { Array($0) } ?? name
        return ["/secretmem", "secretmem", "/[secretmem]", "anon_inode:[secretmem]"].contains {
            file.elementsEqual($0.utf8)
        }
    }
}
