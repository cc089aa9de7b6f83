// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Kexec
import Linux
import MemoryImage
import PhysicalMemory

/// Kernel A: loads kernel B, jumps, and reads the report after coming back, at once or after a power-off.
public struct Hibernate: Sendable {
    public var device: DeviceName?
    public var kernelPath: String
    public var initrdPath: String
    public var after = AfterSave.powerOff
    public var codec = Codec.standard
    /// N, in bytes; nil lets the machine decide.
    public var backupEnd: UInt64?
    /// More words for kernel B's command line.
    public var extraWords = ""
    /// Whether to hibernate although some file system cannot be watched for use by others.
    public var isUnwatchedAllowed = false
    /// Whether to hibernate with a kernel whose release is below the floor.
    public var isOldKernelAllowed = false

    public init(device: DeviceName?, kernelPath: String, initrdPath: String) {
        self.device = device
        self.kernelPath = kernelPath
        self.initrdPath = initrdPath
    }

    /// How often kernel B is loaded at most: something may have come into use meanwhile, or the report's page was moved.
    private static let loadAttempts = 4

    /// Whether this system can hibernate, as far as that can be told without loading anything.
    /// - Parameters:
    ///   - findings: takes what does not keep it from hibernating, also if this throws.
    ///   - tell: is called with what takes time.
    /// - Returns: the partition's path, and what the command line of kernel C needs for this system.
    public func check(
        _ findings: inout Findings, _ tell: (String) -> Void = { _ in }
    ) throws(Failure) -> (path: String, parametersForC: [String]) {
        try checkKernel(&findings)
        try checkJump(&findings, SystemFolders(), tell)
        let preparation = try prepare(&findings)
        let plan = try plan(preparation, reportAddress: 0, reportKey: [])
        noteMemoryMap(plan, &findings)
        let own = KernelCommandLine(try readText("/proc/cmdline"))
        let words = HardwareParameters.worthKnowing(own)
        if !words.isEmpty {
            findings.note(
                "kernel B gets these words of this kernel's command line, and kernel C may need them too: "
                    + words.joined(separator: " ").utf8.printable)
        }
        let commandLine = KernelCCommandLine(
            partition: preparation.partition.uuid, backupEnd: preparation.backupEnd.end,
            processors: preparation.backupEnd.processors, needsFourLevels: preparation.needsFourLevels,
            memoryParameters: MemoryTakers(isOwnKernel: preparation.isOwnKernel).parametersForC, own: own)
        return (preparation.path, commandLine.words)
    }

    /// Hibernates. Returns when kernel A is running again.
    /// - Parameters:
    ///   - findings: takes what does not keep this system from hibernating.
    ///   - tell: is called with what is being done.
    public func run(_ findings: inout Findings, _ tell: (String) -> Void) throws(Failure) -> Report {
        try checkKernel(&findings)
        let lock = try HibernationLock()
        defer { withExtendedLifetime(lock) {} }
        try checkJump(&findings, SystemFolders(), tell)
        // Free pages that the kernel keeps for single CPUs look used to kernel B. CPUs that go offline for the jump give theirs
        // back; the first one does not, so nothing is given back there.
        let affinity = ProcessorAffinity()
        affinity.moveToOthers()
        // A process that ended or stopped here would leave kernel B loaded, and an init restarts into a kernel that is loaded.
        let signals = BlockedSignals()
        defer { withExtendedLifetime(signals) {} }
        // First, as a driver moves what it has on its device into the memory that loading counts on.
        let hooks = try SleepHooks(&findings)
        defer { withExtendedLifetime(hooks) {} }
        var (path, page, disks) = try loadKernelB(&findings)
        defer { unload(&findings) }
        tell("loaded kernel B; saving to \(path)")
        var isUnmounted = false
        defer { if isUnmounted { disks.mountEFIPartitions(tell) } }
        for attempt in 1... {
            isUnmounted = try disks.giveUpEFIPartitions(&findings)
            syncFileSystems()
            // The memory that was taken for the load may have brought swap space into use, and an automounter may have mounted
            // what was unmounted.
            let newUse = try disks.newUse(isUnmounted: isUnmounted)
            if newUse == nil {
                drainPerCPUList(affinity)
                page.note(try MemoryNote.now())
                // The last look: what was done since the load may have moved the page. Its old place still has its key then, and
                // kernel B would take that for the report's page, so that the next load comes with another key.
                if try page.isInPlace { break }
            }
            guard attempt < Hibernate.loadAttempts else {
                throw newUse
                    ?? Failure(
                        "load", "kernel B", "the kernel keeps moving the page that the report goes to",
                        remedy: "try again")
            }
            // Kernel and initrd may be on one of them.
            if isUnmounted { disks.mountEFIPartitions(tell) }
            isUnmounted = false
            try KexecPermission.requireReload()
            (path, page, disks) = try loadKernelB(&findings)
        }
        if signals.arePending { throw Failure("hibernate", "", "it was interrupted") }
        affinity.restore()
        try jump()
        dropStaleBuffers(path)
        var report = try page.read()
        report.device = path
        do throws(Failure) { try giveUpPendingImage(path) } catch {
            let what = "this session goes on, and whether an image of it waits could not be seen: \(error)"
            report.outcome = .failed
            report.text += (report.text.isEmpty ? "" : "; ") + what
        }
        return report
    }

    /// Jumps, and comes back when somebody jumps back into kernel A.
    /// - Throws: if the kernel refuses, with the reason that its log gives.
    private func jump() throws(Failure) {
        let position = KernelLogPosition()
        do throws(Failure) { try jumpToLoadedImage() } catch {
            let isDeviceLost =
                KernelVersion(release: systemNames().release).map { $0 < firstVersionThatResumesDevices } ?? false
            throw FreezeRefusal(position?.messages() ?? []).failure(error, isDeviceLost: isDeviceLost)
        }
    }
}
