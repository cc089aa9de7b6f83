// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

extension Hibernate {
    /// Looks for what the kernel, a driver or a process would refuse during the jump, so that it is refused before it. A jump
    /// that is refused costs 20 s at best; a kernel without the fix below does not resume its devices then.
    /// - Parameter tell: is called with what takes time.
    func checkJump(
        _ findings: inout Findings, _ system: SystemFolders = SystemFolders(), _ tell: (String) -> Void = { _ in }
    ) throws(Failure) {
        try requireNoLoadedKernel(system.sys)
        try SleepHooks.check(&findings, system)
        try requireFreezableGraphics(system)
        try requireNoStuckProcess(ProcessTable(system.proc), milliseconds: freezeMilliseconds(system), tell)
        warnOfLostDevices(systemNames().release, &findings)
    }
}

/// The first kernel that resumes its devices if one of them refuses to freeze: "kexec_core: Fix error code path in the KEXEC_JUMP
/// flow" (996afb6efd1a) is in 6.17 and in the 6.16 series.
let firstVersionThatResumesDevices = KernelVersion(6, 16, 1)

/// Warns of a kernel that leaves its devices suspended if one of them refuses.
/// - Parameter release: as uname(2) tells it.
func warnOfLostDevices(_ release: String, _ findings: inout Findings) {
    guard let version = KernelVersion(release: release), version < firstVersionThatResumesDevices else { return }
    findings.warn(
        "if a driver refuses to freeze, this kernel (\(release.utf8.printable)) leaves devices suspended, disks among them, and the "
            + "system has to be restarted",
        remedy: "use Linux 6.17 or newer, and try the first hibernation with nothing unsaved")
}

/// Refuses if NVIDIA's driver would refuse to freeze: it does where it is to preserve video memory and nobody has told it that
/// the system is about to sleep, by the kernel's notifiers or by nvidia-sleep.sh.
func requireFreezableGraphics(_ system: SystemFolders = SystemFolders()) throws(Failure) {
    guard exists("\(system.sys)/module/nvidia") else { return }
    // Lines of the form `PreserveVideoMemoryAllocations: 1`; older drivers do not have all of them.
    let parameters = (try? readText("\(system.proc)/driver/nvidia/params")) ?? ""
    let hasNotifiers = exists(system.device)
    let isPreserving = number("PreserveVideoMemoryAllocations", in: parameters).map { $0 != 0 }
    let isNotified = number("UseKernelSuspendNotifiers", in: parameters).map { $0 != 0 }
    if !hasNotifiers, isPreserving != false {
        throw Failure(
            "hibernate", "",
            "NVIDIA's driver would refuse to freeze, as the kernel has no \(system.device) to tell it with",
            remedy:
                "use a kernel with CONFIG_HIBERNATION_SNAPSHOT_DEV, or load nvidia with NVreg_PreserveVideoMemoryAllocations=0"
        )
    }
    if isPreserving == true, isNotified != true {
        throw Failure(
            "hibernate", "",
            "NVIDIA's driver would refuse to freeze, as it waits for nvidia-sleep.sh and not for the kernel",
            remedy: "load nvidia with NVreg_UseKernelSuspendNotifiers=1, or with NVreg_PreserveVideoMemoryAllocations=0"
        )
    }
}

/// Milliseconds for which the kernel tries to freeze processes (/sys/power/pm_freeze_timeout): what waits shorter than that is
/// none of its reasons to refuse a jump. Never more than ten minutes.
func freezeMilliseconds(_ system: SystemFolders) -> UInt64 {
    let text = (try? readText("\(system.sys)/power/pm_freeze_timeout")) ?? ""
    return min(parseNumber(trimmed(text)) ?? 20_000, 600_000)
}

/// Milliseconds after which somebody is told what this waits for.
private let quietMilliseconds: UInt64 = 2000

/// Refuses if a process waits uninterruptibly and goes on doing so: it could not be frozen.
/// - Parameters:
///   - milliseconds: how long to wait for it at most; nobody waits if there is none.
///   - quiet: milliseconds after which `tell` is called.
func requireNoStuckProcess(
    _ table: ProcessTable, milliseconds: UInt64, quiet: UInt64 = quietMilliseconds,
    _ tell: (String) -> Void = { _ in }
) throws(Failure) {
    let start = monotonicMilliseconds()
    var stuck = table.waiting.filter { thread in
        // The kernel freezes these as they wait.
        guard let channel = table.waitChannel(thread) else { return true }
        return !freezableWaits.contains { channel.containsBytes($0) }
    }
    var isTold = false
    while !stuck.isEmpty, monotonicMilliseconds() - start < milliseconds {
        sleep(milliseconds: 50)
        let now = table.waiting
        stuck = stuck.filter { now.contains($0) }
        if !isTold, let thread = stuck.first, monotonicMilliseconds() - start >= quiet {
            isTold = true
            tell(
                "waiting for the process \(thread.name) (\(thread.process)), which cannot be interrupted, for "
                    + "\(milliseconds / 1000) s at most")
        }
    }
    guard let thread = stuck.first else { return }
    let others = Set(stuck.map { $0.process }).count - 1
    throw Failure(
        "hibernate", "",
        "the process \(thread.name) (\(thread.process)) waits and cannot be interrupted"
            + (table.waitChannel(thread).map { ", in \($0)" } ?? "")
            + (others > 0 ? ", and \(others) more do" : "") + ": the kernel could not freeze it",
        remedy: "end what it waits for (a device or a server that does not answer), and try again")
}

/// Functions in which a process waits uninterruptibly (`D`) and can be frozen all the same: those that wait with TASK_FREEZABLE
/// (6.12, fs/nfs, fs/smb, net/sunrpc, fs/notify/fanotify, fs/coredump.c, kernel/fork.c), and those that a control group has frozen
/// already, as /proc/PID/wchan names them.
private let freezableWaits = [
    "rpc_", "nfs", "cifs", "smb", "wait_for_response", "fanotify", "coredump", "vfork", "kernel_clone", "refrigerator",
]
