// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Kexec
import Linux
import Testing

@testable import Hibernation

@Suite struct JumpChecksTests {
    private func failure(_ body: () throws -> Void) -> Failure? {
        do { try body() } catch { return error as? Failure }
        return nil
    }

    @Test(
        arguments: [
            (true, nil, nil), (true, "PreserveVideoMemoryAllocations: 0\n", nil),
            (true, "PreserveVideoMemoryAllocations: 1\nUseKernelSuspendNotifiers: 1\n", nil),
            (
                true, "PreserveVideoMemoryAllocations: 1\nUseKernelSuspendNotifiers: 0\n",
                "NVreg_UseKernelSuspendNotifiers=1"
            ),
            (true, "PreserveVideoMemoryAllocations: 1\n", "NVreg_UseKernelSuspendNotifiers=1"),
            (false, "PreserveVideoMemoryAllocations: 0\n", nil), (false, nil, "CONFIG_HIBERNATION_SNAPSHOT_DEV"),
            (
                false, "PreserveVideoMemoryAllocations: 1\nUseKernelSuspendNotifiers: 1\n",
                "CONFIG_HIBERNATION_SNAPSHOT_DEV"
            ),
        ] as [(Bool, String?, String?)])
    func refusesADriverOfNVIDIAsThatWouldRefuse(hasSnapshot: Bool, parameters: String?, remedy: String?) throws {
        let system = try FakeSystem()
        if hasSnapshot { try system.write("dev/snapshot", "") }
        if let parameters { try system.write("proc/driver/nvidia/params", parameters) }
        try requireFreezableGraphics(system.folders)
        try system.make("sys/module/nvidia")
        let refusal = failure { try requireFreezableGraphics(system.folders) }
        #expect((refusal == nil) == (remedy == nil))
        if let remedy { #expect(refusal?.remedy?.contains(remedy) == true) }
    }

    @Test(
        arguments: [
            ("6.12.117", true), ("6.15.11-arch1", true), ("6.16.0", true), ("6.16.1", false),
            ("6.17.0-29-generic", false),
            ("7.3-rc1", false), ("unknown", false),
        ])
    func warnsOfKernelsThatLeaveDevicesSuspended(release: String, isWarned: Bool) {
        var findings = Findings()
        warnOfLostDevices(release, &findings)
        #expect(findings.warnings.count == (isWarned ? 1 : 0))
    }

    @Test func refusesAProcessThatIsStuck() throws {
        let system = try FakeSystem()
        let table = ProcessTable(system.folders.proc)
        try system.addProcess(10, "bash")
        // Kernel threads are not frozen; these wait so that they can be frozen.
        try system.addProcess(11, "kworker/0:1", state: "D", flags: 0x0420_8060)
        try system.addProcess(12, "cp", state: "D", waitsIn: "rpc_wait_bit_killable")
        try system.addProcess(13, "make", state: "D", waitsIn: "kernel_clone")
        try requireNoStuckProcess(table, milliseconds: 0)
        try system.addProcess(14, "a) D (b", state: "D", waitsIn: "usb_start_wait_urb")
        try system.addProcess(15, "dd", state: "D", waitsIn: "io_schedule")
        let refusal = failure { try requireNoStuckProcess(table, milliseconds: 100) }
        #expect(refusal?.reason.contains("a) D (b (14)") == true)
        #expect(refusal?.reason.contains("usb_start_wait_urb") == true && refusal?.reason.contains("1 more") == true)
    }

    /// The kernel itself waits so long, and somebody is messages meanwhile.
    @Test func waitsAsLongAsTheKernelDoes() throws {
        let system = try FakeSystem()
        #expect(freezeMilliseconds(system.folders) == 20_000)
        for (text, expected) in [("300\n", 300), ("x", 20_000), ("18446744073709551615", 600_000)] as [(String, UInt64)]
        {
            try system.write("sys/power/pm_freeze_timeout", text)
            #expect(freezeMilliseconds(system.folders) == expected)
        }
        let table = ProcessTable(system.folders.proc)
        var messages: [String] = []
        try requireNoStuckProcess(table, milliseconds: 20_000, logDelay: 0) { messages.append($0) }
        #expect(messages == [], "nobody waits")
        try system.addProcess(22, "dd", state: "D", waitsIn: "io_schedule")
        #expect(throws: Failure.self) {
            try requireNoStuckProcess(table, milliseconds: 400, logDelay: 100) { messages.append($0) }
        }
        #expect(messages.count == 1 && messages[0].contains("dd (22)"))
    }

    @Test func knowsWhetherAKernelIsLoaded() throws {
        let system = try FakeSystem()
        #expect(isKernelLoaded(system.folders.sys) == nil)
        try system.write("sys/kernel/kexec/loaded", "0\n")
        #expect(isKernelLoaded(system.folders.sys) == false)
        try system.write("sys/kernel/kexec_loaded", "1\n")
        #expect(isKernelLoaded(system.folders.sys) == true)
    }

    /// What waits for a disk now goes on soon.
    @Test(.timeLimit(.minutes(5))) func waitsForAProcessThatGoesOn() throws {
        let system = try FakeSystem()
        try system.addProcess(20, "dd", state: "D", waitsIn: "io_schedule")
        try system.addProcess(21, "cp", state: "D", waitsIn: "io_schedule")
        Thread.detachNewThread {
            Thread.sleep(forTimeInterval: 0.2)
            // One has slept again meanwhile, the other one has ended.
            try? system.addProcess(20, "dd", state: "D", waitsIn: "io_schedule", switches: 8)
            try? system.remove("proc/21")
        }
        try requireNoStuckProcess(ProcessTable(system.folders.proc), milliseconds: 120_000)
    }
}
