// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

extension Hibernate {
    /// Refuses before the jump if the kernel, a driver or a process would make the jump fail. Otherwise the kernel would refuse
    /// the jump after at least 20 s, and a kernel older than `firstVersionThatResumesDevices` would leave devices suspended.
    /// - Parameter log: is called with a sentence if a check has to wait.
    func checkJump(
        _ findings: inout Findings, _ system: SystemFolders = SystemFolders(), _ log: (String) -> Void = { _ in }
    ) throws(Failure) {
        try untilFailure(&findings) { (list) -> Void? in
            checkJump(&list, system, log)
            return ()
        }
    }

    func checkJump(_ list: inout Checklist, _ system: SystemFolders, _ log: (String) -> Void) {
        list.check("loaded kernel") { (_) throws(Failure) in
            try requireNoLoadedKernel(system.sys)
            return "no other kernel is loaded with kexec"
        }
        list.check("hibernation in the kernel") { (findings) throws(Failure) in
            try SleepHooks.check(&findings, system)
            return "the kernel permits it and prepares its drivers"
        }
        list.check("graphics driver") { (_) throws(Failure) in
            try requireFreezableGraphics(system)
            return "none that refuses to freeze"
        }
        list.check("processes") { (_) throws(Failure) in
            try requireNoStuckProcess(ProcessTable(system.proc), milliseconds: freezeMilliseconds(system), log)
            return "the kernel can freeze all of them"
        }
        list.check("devices if a driver refuses") { (findings) throws(Failure) in
            warnOfLostDevices(systemNames().release, &findings)
            return "this kernel resumes them"
        }
    }
}

/// The first kernel that resumes all devices if a driver refuses to freeze one. It has "kexec_core: Fix error code path in the
/// KEXEC_JUMP flow" (996afb6efd1a), which is in 6.17 and in the 6.16 series.
let firstVersionThatResumesDevices = KernelVersion(6, 16, 1)

/// Warns of a kernel that leaves devices suspended if a driver refuses to freeze one.
/// - Parameter release: the running kernel's, from uname(2).
func warnOfLostDevices(_ release: String, _ findings: inout Findings) {
    guard let version = KernelVersion(release: release), version < firstVersionThatResumesDevices else { return }
    findings.warn(
        "if a driver refuses to freeze its device, the running kernel (\(release.utf8.printable)) leaves devices suspended, "
            + "disks among them, and the system has to be restarted",
        remedy: "use Linux 6.17 or newer, and save all work before the first hibernation")
}

/// Refuses if NVIDIA's driver would refuse to freeze its device. It does so if it is to preserve video memory and got no notice
/// of the hibernation, either through the kernel's notifiers or from nvidia-sleep.sh.
func requireFreezableGraphics(_ system: SystemFolders = SystemFolders()) throws(Failure) {
    guard exists("\(system.sys)/module/nvidia") else { return }
    // The lines look like `PreserveVideoMemoryAllocations: 1`. Older drivers do not have all of them.
    let parameters = (try? readText("\(system.proc)/driver/nvidia/params")) ?? ""
    let hasNotifiers = exists(system.device)
    let isPreserving = number("PreserveVideoMemoryAllocations", in: parameters).map { $0 != 0 }
    let isNotified = number("UseKernelSuspendNotifiers", in: parameters).map { $0 != 0 }
    if !hasNotifiers, isPreserving != false {
        throw Failure(
            "hibernate", "",
            "NVIDIA's driver would refuse to freeze its device, because a kernel without \(system.device) cannot notify it",
            remedy:
                "use a kernel with CONFIG_HIBERNATION_SNAPSHOT_DEV, or load nvidia with NVreg_PreserveVideoMemoryAllocations=0"
        )
    }
    if isPreserving == true, isNotified != true {
        throw Failure(
            "hibernate", "",
            "NVIDIA's driver would refuse to freeze its device, because it expects a notice from nvidia-sleep.sh, not from "
                + "the kernel",
            remedy: "load nvidia with NVreg_UseKernelSuspendNotifiers=1, or with NVreg_PreserveVideoMemoryAllocations=0"
        )
    }
}

/// Milliseconds for which the kernel tries to freeze processes (/sys/power/pm_freeze_timeout), at most ten minutes. A process
/// that waits for a shorter time does not make the jump fail.
func freezeMilliseconds(_ system: SystemFolders) -> UInt64 {
    let text = (try? readText("\(system.sys)/power/pm_freeze_timeout")) ?? ""
    return min(parseNumber(trimmed(text)) ?? 20_000, 600_000)
}

/// Milliseconds after which a message names the process that the check waits for.
private let standardLogDelay: UInt64 = 2000

/// Refuses if a process stays in uninterruptible sleep: the kernel could not freeze it.
/// - Parameters:
///   - milliseconds: the maximum time to wait for such processes. Without such a process this returns at once.
///   - logDelay: milliseconds after which `log` is called.
func requireNoStuckProcess(
    _ table: ProcessTable, milliseconds: UInt64, logDelay: UInt64 = standardLogDelay,
    _ log: (String) -> Void = { _ in }
) throws(Failure) {
    let start = monotonicMilliseconds()
    var stuck = table.uninterruptibleThreads.filter { thread in
        // The kernel can freeze processes that wait in these functions.
        guard let channel = table.waitChannel(thread) else { return true }
        return !freezableWaits.contains { channel.containsBytes($0) }
    }
    var isLogged = false
    while !stuck.isEmpty, monotonicMilliseconds() - start < milliseconds {
        sleep(milliseconds: 50)
        let now = table.uninterruptibleThreads
        stuck = stuck.filter { now.contains($0) }
        if !isLogged, let thread = stuck.first, monotonicMilliseconds() - start >= logDelay {
            isLogged = true
            log(
                "waiting up to \(milliseconds / 1000) s for the process \(thread.name) (\(thread.process)), which is in "
                    + "uninterruptible sleep (state D)")
        }
    }
    guard let thread = stuck.first else { return }
    let others = Set(stuck.map { $0.process }).count - 1
    throw Failure(
        "hibernate", "",
        "the process \(thread.name) (\(thread.process)) is in uninterruptible sleep (state D)"
            + (table.waitChannel(thread).map { ", in \($0)" } ?? "")
            + (others > 0 ? ", and \(others) more are" : "") + ": the kernel could not freeze it",
        remedy: "end the cause of its wait (a device or a server that does not answer), and try again")
}

/// Parts of the names, in /proc/PID/wchan, of functions in which the kernel can freeze a process although it is in state D.
/// These functions wait with TASK_FREEZABLE (6.12, fs/nfs, fs/smb, net/sunrpc, fs/notify/fanotify, fs/coredump.c,
/// kernel/fork.c), or a control group has frozen the process already.
private let freezableWaits = [
    "rpc_", "nfs", "cifs", "smb", "wait_for_response", "fanotify", "coredump", "vfork", "kernel_clone", "refrigerator",
]
