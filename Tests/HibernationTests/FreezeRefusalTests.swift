// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import Hibernation

/// What the message says after the kernel refused to jump. The log texts are from machines, kernels 5.10 to 7.2.
@Suite struct FreezeRefusalTests {
    private let busy = Failure("jump to", "the loaded kernel", "Device or resource busy", errno: ErrorNumber.busy)

    private func text(_ log: String, isDeviceLost: Bool = false) -> Failure {
        FreezeRefusal(log.split(separator: "\n").map { String($0) }).failure(busy, isDeviceLost: isDeviceLost)
    }

    private static let fuse = """
        Freezing user space processes
        Freezing user space processes failed after 20.008 seconds (1 tasks refusing to freeze, wq_busy=0):
        task:ls              state:D stack:0     pid:1404  tgid:1404  ppid:1348   task_flags:0x400100 flags:0x00004004
        Call Trace:
         <TASK>
         __schedule+0x52e/0xea0
         schedule+0x27/0x80
         ? __pfx_autoremove_wake_function+0x10/0x10
         request_wait_answer+0x140/0x260 [fuse]
         fuse_simple_request+0x1a1/0x310 [fuse]
         </TASK>
        OOM killer enabled.
        Restarting tasks: Starting
        """
    private static let split = """
        Freezing user space processes failed after 20.001 seconds (3 tasks refusing to freeze, wq_busy=0):
        task:Web Content     state:D
        usb 1-1: reset high-speed USB device number 2 using xhci_hcd
         stack:0     pid:877   tgid:877   ppid:1      flags:0x00004006
        Call Trace:
         schedule+0x5e/0xd0
         wait_for_completion+0x82/0x150
         usb_sg_wait+0xf8/0x170
        task:dd              state:R  running task     stack:0     pid:900   tgid:900   ppid:1      flags:0x00004006
        """
    private static let queue = """
        Freezing remaining freezable tasks
        Freezing of tasks failed after 20.001 seconds (0 tasks refusing to freeze, wq_busy=1):
        Showing busy workqueues and worker pools:
        workqueue writeback: flags=0x4e
          pwq 8: cpus=0-3 flags=0x4 nice=0 active=0/0 refcnt=3
            delayed: wb_workfn
        workqueue usb_hub_wq: flags=0x4
          pwq 4: cpus=2 node=0 flags=0x0 nice=0 active=1/0 refcnt=2
            in-flight: 8729:hub_event
        """
    private static let nvidia = """
        Freezing user space processes completed (elapsed 0.001 seconds)
        printk: Suspending console(s) (use no_console_suspend to debug)
        NVRM: GPU 0000:01:00.0: PreserveVideoMemoryAllocations module parameter is set. System Power Management attempted without driver procfs suspend interface.
        nvidia 0000:01:00.0: PM: pci_pm_freeze(): nv_pmops_freeze [nvidia] returns -5
        nvidia 0000:01:00.0: PM: dpm_run_callback(): pci_pm_freeze returns -5
        nvidia 0000:01:00.0: PM: failed to freeze async: error -5
        e1000e 0000:00:1f.6: PM: failed to thaw async: error -19
        """
    private static let port = """
        port dw-apb-uart.3:0.0: PM: dpm_run_callback(): pm_runtime_force_suspend+0x0/0x120 returns -16
        port dw-apb-uart.3:0.0: PM: failed to suspend: error -16
        PM: Some devices failed to suspend, or early wake event detected
        """

    @Test func namesTheProcess() {
        let fuse = text(Self.fuse)
        #expect(
            fuse.description.hasPrefix(
                "hibernate: the process ls (1404) could not be frozen: it waits in request_wait_answer of fuse; "))
        #expect(fuse.errno == ErrorNumber.busy)
        let split = text(Self.split)
        #expect(
            split.reason
                == "the process Web Content (877) could not be frozen: it waits in usb_sg_wait, and 2 more processes")
        let tasks = FreezeRefusal(Self.split.split(separator: "\n").map { String($0) }).tasks
        #expect(tasks.map { $0.isRunning } == [false, true])
        #expect(tasks.map { $0.process } == [877, 900])
        let unnamed = text(
            "Freezing user space processes failed after 20.008 seconds (2 tasks refusing to freeze, wq_busy=0):")
        #expect(unnamed.reason.contains("2 processes could not be frozen"))
    }

    @Test func namesTheDevice() {
        let nvidia = text(Self.nvidia)
        #expect(
            nvidia.reason == "the driver nvidia refused to freeze its device 0000:01:00.0 (Input/output error)")
        #expect(nvidia.remedy == "load nvidia with NVreg_UseKernelSuspendNotifiers=1")
        let port = text(Self.port, isDeviceLost: true)
        #expect(
            port.reason == "the driver port refused to freeze its device dw-apb-uart.3:0.0 (Device or resource busy)")
        #expect(port.remedy?.contains("modprobe -r port") == true)
        #expect(port.remedy?.contains("restart the system") == true)
        #expect(text(Self.port).remedy?.contains("restart the system") == false)
        for line in [
            "amdxdna 0000:66:00.1: PM: pci_pm_suspend(): amdxdna_pmops_suspend+0x0/0x80 [amdxdna] returns -19",
            "amdxdna 0000:66:00.1: PM: failed to freeze noirq: error -19",
            "amdxdna 0000:66:00.1: not prepared for power transition: code -19",
            "amdxdna 0000:66:00.1: PM: not prepared for power transition: code -19",
        ] {
            #expect(
                text(line).reason == "the driver amdxdna refused to freeze its device 0000:66:00.1 (No such device)")
        }
    }

    @Test func namesOtherReasons() {
        #expect(
            text(Self.queue).reason
                == "the kernel's work queue usb_hub_wq (hub_event) stayed busy and could not be frozen")
        #expect(text("Error taking CPU1 down: -16").reason.contains("a CPU could not be taken offline"))
        #expect(text("PM: System core suspend callback hv_suspend+0x0/0x10 failed.").reason.contains("hv_suspend"))
        let woken = text(
            "Freezing user space processes aborted after 0.012 seconds (5 tasks refusing to freeze, wq_busy=0):")
        #expect(woken.reason == "a wakeup event interrupted the freezing of processes" && woken.remedy == "try again")
    }

    /// What is logged meanwhile and has nothing to do with it is not blamed, nor is a device that fails as it goes on.
    @Test func blamesNobodyWithoutAReason() {
        let log = """
            Freezing user space processes completed (elapsed 0.001 seconds)
            task:innocent state:S stack:0 pid:5 tgid:5
            usb 1-1: PM: dpm_run_callback(): usb_dev_resume+0x0/0x20 returns -19
            usb 1-1: PM: failed to resume async: error -19
            nvme nvme0: 2/0/0 default/read/poll queues
            """
        let failure = text(log)
        #expect(failure.reason == "the kernel refused to jump (Device or resource busy), and its log gives no reason")
        #expect(failure.remedy != nil)
        let invalid = Failure("jump to", "the loaded kernel", "Invalid argument", errno: ErrorNumber.invalid)
        #expect(FreezeRefusal([]).failure(invalid, isDeviceLost: true).reason.contains("unloaded it"))
    }

    /// A process chooses its name.
    @Test func printsNoControlCharacters() {
        let failure = text(
            "Freezing user space processes failed after 20.0 seconds (1 tasks refusing to freeze, wq_busy=0):\n"
                + "task:\u{1b}]0;x\u{7} state:D stack:0 pid:99999999999999999999 tgid:1")
        #expect(failure.description.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7f })
        #expect(failure.reason.hasPrefix("the process ?]0;x? could not be frozen"))
    }
}
