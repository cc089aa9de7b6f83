// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux

/// The kernel's and its drivers' preparations for a hibernation, which the jump itself leaves out: video memory is evicted,
/// firmware is kept, schedulers of BPF step back. Opening /dev/snapshot runs them, closing it undoes them, and meanwhile the
/// kernel's own hibernation is kept out (6.12, kernel/power/user.c, `snapshot_open`).
struct SleepHooks: ~Copyable {
    private let file: File?

    /// - Parameter findings: gets a warning if the kernel has no such device.
    /// - Throws: if the kernel or a driver refuses. What the preparation has done is undone then.
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
                    "another hibernation is under way: "
                        + (holder.map { "\(ProcessTable(system.proc).describe($0)) has \(system.device) open" }
                            ?? "\(system.device) is in use"),
                    remedy: "wait for its end", errno: error.errno)
            default:
                throw Failure(
                    "hibernate", "", "a driver refuses to prepare for it (open \(system.device): \(error.reason))",
                    remedy: "look at dmesg for its name, and end what uses its device", errno: error.errno)
            }
        }
    }

    /// Undoes the preparations.
    consuming func close() {}

    /// The same as far as it can be told without preparing anything.
    static func check(_ findings: inout Findings, _ system: SystemFolders = SystemFolders()) throws(Failure) {
        if let modes = try? readText("\(system.sys)/power/disk"), trimmed(modes) == "[disabled]" {
            throw refusal(system)
        }
        if !exists(system.device) { warn(&findings, system) }
    }

    private static func warn(_ findings: inout Findings, _ system: SystemFolders) {
        findings.warn(
            "the kernel has no \(system.device), so drivers are not told to prepare for a hibernation: video memory may be lost",
            remedy: "use a kernel with CONFIG_HIBERNATION_SNAPSHOT_DEV")
    }

    /// Why the kernel says that it does not hibernate (6.12, kernel/power/hibernate.c, `hibernation_available`).
    static func refusal(_ system: SystemFolders) -> Failure {
        func failure(_ reason: String, _ remedy: String) -> Failure {
            Failure("hibernate", "", reason, remedy: remedy, errno: ErrorNumber.notPermitted)
        }
        let words = KernelCommandLine((try? readText("\(system.proc)/cmdline")) ?? "").words
        if let word = words.first(where: { forbidsHibernation($0) }) {
            return failure("\(word.utf8.printable) on the kernel's command line forbids it", "boot without it")
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
                "\(processes.describe(process)) has secret memory (memfd_secret), which must not go to a disk",
                "end that program")
        }
        let cxl = (try? listDirectory("\(system.sys)/bus/cxl/devices")) ?? []
        if let memory = cxl.first(where: { $0.utf8.starts(with: "mem".utf8) }) {
            return failure(
                "there is CXL memory (\(memory)), which the kernel does not hibernate with",
                "unbind the device from the driver cxl_mem if nothing uses it")
        }
        return failure(
            "the kernel does not permit it: for nohibernate, lockdown, secret memory (memfd_secret) or CXL memory",
            "look at dmesg, and for programs that use memfd_secret")
    }

    /// Whether a parameter keeps the kernel from hibernating (6.12, kernel/power/hibernate.c, `hibernate_setup`).
    private static func forbidsHibernation(_ word: String) -> Bool {
        if word.utf8.starts(with: "nohibernate".utf8) { return true }
        return word.utf8.starts(with: "hibernate=no".utf8) && !word.utf8.starts(with: "hibernate=noresume".utf8)
            && !word.utf8.starts(with: "hibernate=nocompress".utf8)
    }

    /// Whether a path in /proc is that of secret memory (mm/secretmem.c, `secretmem_file_create`).
    static func isSecretMemory(_ path: String) -> Bool {
        let name = Array(path.utf8)
        let file = name.before(" (deleted)").map { Array($0) } ?? name
        return ["/secretmem", "secretmem", "/[secretmem]", "anon_inode:[secretmem]"].contains {
            file.elementsEqual($0.utf8)
        }
    }
}
