// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Kexec
import Linux
import Testing

@testable import Hibernation

/// Which words of kernel A's command line reach kernel B.
@Suite struct HardwareParametersTests {
    private func passedOn(_ text: String) -> String {
        HardwareParameters.passedOn(KernelCommandLine(text)).joined(separator: " ")
    }

    /// Those of MachineTables, one by one.
    private static let expected = [
        "pci=noaer i8042.dumbkbd=1",
        "usb-storage.quirks=0bda:0328:i",
        "loglevel=6",
        "earlyprintk=xen console=hvc0",
        "console=ttyS0 nvme_core.io_timeout=4294967295 nvme_core.admin_timeout=4294967295 8250.nr_uarts=4",
        "console=ttyS0,115200n8 no_timer_check nvme_core.io_timeout=4294967295 nvme_core.max_retries=10 irqpoll mce=off "
            + "numa=off hest_disable",
        "nomodeset console=ttyS0,115200n8 irqpoll mce=off numa=off",
    ]

    @Test func passesOnTheParametersOfTheHardware() {
        let found = MachineTables.commandLines.split(separator: "\n").map { passedOn(String($0)) }
        #expect(found == Self.expected)
    }

    @Test(arguments: [
        "nvme.poll_queues=2", "nvme-core.default_ps_max_latency_us=0", "pcie_aspm=off", "pcie_port_pm=off",
        "pci=nomsi,noaer",
        "libata.force=1.5G,noncq", "ahci.mobile_lpm_policy=1", "usbcore.autosuspend=-1", "usbhid.quirks=0x1:0x2:0x4",
        "usb_storage.quirks=0bda:9210:u", "scsi_mod.scan=sync", "sd_mod.x=1", "mmc_core.use_spi_crc=0",
        "sdhci.debug_quirks2=4",
        "dm_mod.use_blk_mq=y", "dm-crypt.same_cpu_crypt=1", "acpi=off", "acpi_osi=Linux", "acpi_irq_nobalance",
        "pnp.x=1",
        "pnpacpi=off", "iommu=pt", "iommu.passthrough=1", "intel_iommu=on,sm_off", "amd_iommu=off", "intremap=off",
        "noapic",
        "nolapic", "irqpoll", "no_timer_check", "tsc=unstable", "clocksource=hpet", "hpet=disable", "i8042.nopnp",
        "8250.nr_uarts=4",
        "processor.max_cstate=1", "idle=nomwait", "reboot=efi", "earlyprintk=ttyS0", "console=tty0", "loglevel=4",
        "clearcpuid=monitor", "raid=noautodetect", "tsx=on", "intel_idle.max_cstate=0", "virtio_blk.queue_depth=8",
        "no-kvmclock",
        "xhci-hcd.quirks=1", "cpuidle.off=1", "initcall_blacklist=acpi_cpufreq_init", "hest_disable", "erst_disable",
        "bert_disable", "ghes.disable=1", "ivrs_ioapic=10@0001:00:14.0", "ivrs_ioapic[10]=00:14.0",
        "ivrs_hpet[0]=00:14.0", "ivrs_acpihid=AMD0020:0@0001:00:14.5", "ivrs_acpihid[00:14.5]=AMD0020:0",
        "iomem=relaxed", "reserve=0x300,64", "mpi3mr.prot_mask=1", "pm80xx.logging_level=1", "aic7xxx.aic7xxx=verbose",
        "3w_9xxx.use_msi=1", "3w-9xxx.use_msi=1", "vmw_pvscsi.use_msi=0", "be2iscsi.be_iopoll_budget=1", "numa=off",
        "numa=noacpi", "usbcore.authorized=1",
    ])
    func passesOn(word: String) {
        // A word with `debug` in its name is the one exception.
        #expect(passedOn(word) == (word.contains("debug") ? "" : word))
    }

    @Test(arguments: [
        "root=/dev/sda1", "init=/bin/sh", "rdinit=/x", "nr_cpus=1", "maxcpus=1", "mem=4G", "memmap=1M$32M",
        "crashkernel=256M",
        "elfcorehdr=0x1000", "hugepages=10", "hugepagesz=1G", "kexec_jump_back_entry=0x1", "torpor.device=/dev/x",
        "torpor.after=return", "page_poison=1", "slub_debug=P", "debug", "systemd.unit=rescue.target", "rd.luks.uuid=x",
        "quiet",
        "splash", "resume=UUID=x", "noresume", "BOOT_IMAGE=/vmlinuz", "ro", "rootflags=x", "mitigations=off",
        "init_on_free=1",
        "nokaslr", "acpi.debug_level=2", "nvme.dyndbg=+p", "usbcore.dyndbg=+p", "i915.enable_psr=0",
        "thinkpad_acpi.fan_control=1",
        "net.ifnames=0", "reset_devices", "possible_cpus=4", "no5lvl", "isolcpus=1", "x", "=", ".", "pcix",
        "dm-mod.create=vroot", "raid=autodetect",
        "cgroup_disable=memory", "swiotlb=65536", "swiotlb=force", "iommu=soft", "numa=fake=8", "numa=fake=64M",
        "usbcore.authorized_default=0",
    ])
    func keepsBack(word: String) { #expect(passedOn(word) == "") }

    @Test func leavesOutSingleValues() {
        #expect(passedOn("iommu=soft,pt") == "iommu=pt")
        #expect(passedOn("iommu=pt,soft,merge") == "iommu=pt,merge")
    }

    /// What kernel C may need is named without parameters of consoles, and without those that are named anyway.
    @Test func namesParametersThatKernelCMayNeed() {
        let words = HardwareParameters.usefulForKernelC(
            KernelCommandLine("console=ttyS0 pci=nomsi ro loglevel=3 tsx=on nomodeset nvme_core.max_retries=10 quiet"))
        #expect(words == ["pci=nomsi", "nvme_core.max_retries=10"])
    }

    /// The kernel takes quotes around the value; whatever stands behind `--` is for init.
    @Test func keepsQuotedValues() {
        #expect(passedOn("libata.force=\"1.5G, noncq\" quiet") == "libata.force=\"1.5G, noncq\"")
        #expect(passedOn("\"acpi_osi=!Windows 2015\" ro") == "acpi_osi=\"!Windows 2015\"")
        #expect(passedOn("pci=\"nomsi\" -- pci=noacpi") == "pci=nomsi")
        let again = KernelCommandLine(passedOn("\"acpi_osi=!Windows 2015\" pci=nomsi"))
        #expect(again.parameters == ["acpi_osi=!Windows 2015", "pci=nomsi"])
    }

    private func parameters(_ own: String, processors: Int? = nil, needsFourLevels: Bool = false) -> String {
        KernelBCommandLine(
            device: .path("/dev/x"), session: .zero, report: Report.Place(address: 0x1000, key: [1]),
            backupEnd: 192 << 20, processors: processors, needsFourLevels: needsFourLevels, own: KernelCommandLine(own),
            memoryParameters: MemoryTakers.parametersForB, additional: "extra=1"
        ).text
    }

    /// Kernel B must not take kernel A's memory modules for its own, nor more CPUs than it has memory for.
    @Test func keepsKernelBWithinItsMemory() {
        let words = KernelCommandLine(parameters("pci=nomsi mem=1G nr_cpus=8")).parameters
        #expect(words.contains("mem=192M") && words.contains("acpi_no_memhotplug") && words.contains("pci=nomsi"))
        #expect(!words.contains { $0.hasPrefix("nr_cpus=") } && !words.contains("no5lvl") && !words.contains("mem=1G"))
        #expect(words.last == "extra=1")
        let limited = KernelCommandLine(parameters("", processors: 3, needsFourLevels: true)).parameters
        #expect(limited.contains("nr_cpus=3") && limited.contains("no5lvl"))
    }

    /// A balloon's driver would give kernel B's memory to the host.
    @Test func startsNoBalloon() throws {
        let balloons = "initcall_blacklist=virtio_balloon_driver_init,init_balloon_drv,vmballoon_init"
        let words = KernelCommandLine(parameters("initcall_blacklist=x")).parameters
        #expect(words.contains(balloons) && words.contains("initcall_blacklist=x"), "the kernel takes both")

        // Kernel C is told of those that this machine has.
        let system = try FakeSystem()
        func parametersForC(isOwnKernel: Bool = true) -> [String] {
            MemoryTakers(isOwnKernel: isOwnKernel, system.folders).parametersForC
        }
        try system.write("sys/bus/virtio/devices/virtio0/device", "0x0002\n")
        #expect(parametersForC() == [])
        try system.write("sys/bus/virtio/devices/virtio1/device", "0x0005\n")
        #expect(parametersForC() == ["initcall_blacklist=virtio_balloon_driver_init"])
        // A module is not there in kernel C, if that is this kernel.
        try system.write("sys/module/virtio_balloon/initstate", "live\n")
        #expect(parametersForC() == [])
        #expect(parametersForC(isOwnKernel: false) == ["initcall_blacklist=virtio_balloon_driver_init"])
        try system.write("sys/bus/vmbus/devices/x/class_id", "{525074dc-8985-46e2-8057-a307dc18a502}\n")
        try system.write("sys/class/dmi/id/sys_vendor", "VMware, Inc.\n")
        #expect(parametersForC() == ["initcall_blacklist=init_balloon_drv,vmballoon_init"])
    }

    /// NVMe disks ask for up to 128 MiB each.
    @Test func givesNoMemoryToDisks() throws {
        let word = "nvme.max_host_mem_size_mb=0"
        let words = KernelCommandLine(parameters("nvme.max_host_mem_size_mb=64"))
        #expect(words.value("nvme.max_host_mem_size_mb") == "0", "the last one counts")
        let system = try FakeSystem()
        try system.write("sys/class/nvme/nvme0/model", "x\n")
        #expect(MemoryTakers(isOwnKernel: true, system.folders).parametersForC == [])
        try system.write("sys/class/nvme/nvme1/hmb", "0\n")
        #expect(MemoryTakers(isOwnKernel: true, system.folders).parametersForC == [word])
    }

    /// Words with which kernel B would not come back.
    @Test(arguments: [
        "kexec_jump_back_entry=0x1", "torpor.session=x", "rdinit=/bin/sh", "noinitrd", "lockdown=integrity",
        "sysctl.kernel.kexec_load_disabled=1", "sysctl.kernel.kexec-load-disabled=1", "no5lvl",
    ])
    func refusesParametersThatPreventTheJumpBack(word: String) throws {
        let words = KernelCommandLine("pci=nomsi \(word) quiet")
        let failure = #expect(throws: Failure.self) { try requireJumpBack(words, hasFiveLevels: true) }
        #expect(failure?.operand.hasPrefix(word) == true && failure?.remedy != nil)
        if word == "no5lvl" { try requireJumpBack(words, hasFiveLevels: false) }
    }

    /// What makes kernel B fail so that it comes back, or restart.
    @Test func acceptsOtherParameters() throws {
        try requireJumpBack(
            KernelCommandLine("mem=32M memmap=1M$16M nr_cpus=1 elfcorehdr=0x1000 torpor.fault=x init=/x torpor.debug"),
            hasFiveLevels: true)
        try requireJumpBack(KernelCommandLine(""), hasFiveLevels: true)
    }

    @Test func namesParametersThatDoNotFit() throws {
        let bytes = SmallKernel.bytes(commandLineLimit: 400, payloadByteCount: 1536)
        let own = "pci=nomsi " + String(repeating: "libata.force=1:1.5G,2:1.5G,3:1.5G ", count: 12)
        let failure = #expect(throws: Failure.self) {
            try LoadPlan(
                KexecPayload(
                    kernel: BzImage(bytes, path: "x"), initrd: [1], commandLine: parameters(own),
                    backupRanges: [0x10_0000..<0x800_0000], savedRanges: [0x800_0000..<0x1000_0000],
                    reservedEntries: [],
                    notes: [], rsdp: 0, ownBootParameters: []))
        }
        #expect(failure?.reason.contains("the kernel accepts only 400: torpor.session=") == true)
        #expect(failure?.reason.contains("libata.force=1:1.5G") == true && failure?.remedy != nil)
    }
}
