// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage

/// Chooses the parameters of kernel A's command line that kernel B gets as well: those for this machine's hardware, by the name
/// of the parameter or of its module. All other parameters stay with A.
struct HardwareParameters {
    /// Parameters of the kernel itself, with or without a value (6.12, Documentation/admin-guide/kernel-parameters.txt).
    private static let names: Set<String> = [
        // Consoles.
        "console", "earlyprintk", "earlycon", "loglevel", "video", "nomodeset", "vga", "fbcon",
        // Interrupts.
        "noapic", "nolapic", "nolapic_timer", "lapic", "lapic_timer_c2_ok", "apic", "nox2apic", "x2apic_phys",
        "irqpoll",
        "irqfixup", "noirqdebug", "threadirqs", "no_timer_check", "disable_timer_pin_1", "enable_timer_pin_1",
        "skew_tick",
        "nointremap", "intremap", "nomsi", "nmi_watchdog", "nowatchdog",
        // Clocks.
        "tsc", "notsc", "tsc_early_khz", "clocksource", "hpet", "nohpet", "lpj", "nohz", "highres",
        // CPUs.
        "idle", "clearcpuid", "setcpuid", "nopcid", "noinvpcid", "noxsave", "noxsaveopt", "noxsaves", "nosmap",
        "nosmep",
        "nofsgsbase", "nopat", "nopku", "nousershstk", "mce", "intel_pstate", "amd_pstate", "cpuidle", "nosmt", "numa",
        "tsx",
        "hest_disable", "erst_disable", "bert_disable", "iomem", "reserve", "initcall_blacklist",
        "disable_mtrr_cleanup", "enable_mtrr_cleanup", "mtrr_spare_reg_nr", "split_lock_detect",
        // Buses and devices.
        "pci", "pcie_aspm", "pcie_ports", "pcie_port_pm", "pcie_hp", "pcie_pme", "iommu", "intel_iommu", "amd_iommu",
        "amd_iommu_intr", "acpi", "efi", "noefi", "pnpacpi", "pnpbios", "reboot", "ioapic", "nvme", "libata",
        "ahci",
        "raid", "edd", "rootdelay_hw", "xen_emul_unplug", "xen_nopv", "xen_nopvspin", "nopv", "nopvspin", "no-kvmclock",
        "no_kvmclock", "no_steal_acc", "no-steal-acc", "hv_nopvspin", "usbcore", "i8042", "nofb", "noisapnp",
    ]
    /// Prefixes of the names of parameters and of modules; a module's name precedes the first dot.
    private static let prefixes = [
        "acpi_", "pcie_", "iommu_", "amd_iommu_", "intel_iommu_", "ivrs_", "pnp_", "mmc", "sdhci", "nvme", "dm_", "md_",
        "raid",
        "usb", "xhci", "ehci", "ohci", "uhci", "uas", "thunderbolt", "typec", "hid", "virtio", "hv_", "xen_", "vmd",
        "ata_",
        "pata_", "sata_", "megaraid", "mpt", "qla", "lpfc", "ufs",
    ]
    /// Modules whose parameters are passed on: `NAME.parameter=value`.
    private static let modules: Set<String> = [
        "libata", "libahci", "ahci", "scsi_mod", "sd_mod", "sr_mod", "acpi", "acpiphp", "pciehp", "pcie_aspm",
        "pci_hotplug",
        "shpchp", "pnp", "processor", "intel_idle", "i8042", "atkbd", "8250", "serial_core", "8250_core", "iommu",
        "tsc", "hpet",
        "apic", "ioapic", "pata", "aacraid", "hpsa", "smartpqi", "isci", "mvsas", "arcmsr", "ips", "cciss", "rtsx_pci",
        "efi",
        "ccp", "clocksource", "pinctrl_amd", "gpiolib_acpi", "thermal", "button", "ec_sys", "nd_pmem", "pmem", "mvumi",
        "stex", "cpuidle", "ghes", "mpi3mr", "pm80xx", "aic7xxx", "aic79xx", "3w_9xxx", "3w_sas", "3w_xxxx",
        "vmw_pvscsi",
        "be2iscsi",
    ]
    /// Never passed on, although a rule above matches: they change kernel B's memory or its role, or make it too slow.
    private static let never: Set<String> = [
        "root", "init", "rdinit", "nr_cpus", "maxcpus", "possible_cpus", "nosmp", "mem", "memmap", "crashkernel",
        "elfcorehdr", "hugepages", "hugepagesz", "default_hugepagesz", "acpi_no_memhotplug", "no5lvl",
        // They assemble devices from disks, and kernel B must not touch those disks.
        "dm_mod.create", "dm_mod.waitfor", "raid",
        // All of kernel B's DMA buffers lie below N, so it needs no bounce buffers, which would take its memory.
        "swiotlb",
        // With it, no USB disk or keyboard would work.
        "usbcore.authorized_default",
    ]
    private static let neverInside = ["debug", "poison", "dyndbg", "trace"]

    /// Whether a parameter is passed on to kernel B.
    static func isPassedOn(_ parameter: String) -> Bool {
        if parameter.utf8.elementsEqual("raid=noautodetect".utf8) { return true }
        let name = canonical(parameter.utf8.prefix { $0 != UInt8(ascii: "=") })
        guard !name.isEmpty, !never.contains(name), !neverInside.contains(where: { contains(name, $0) }) else {
            return false
        }
        if let dot = name.utf8.firstIndex(of: UInt8(ascii: ".")) {
            let module = String(decoding: name.utf8[..<dot], as: UTF8.self)
            return modules.contains(module) || hasPrefix(module)
        }
        return names.contains(name) || hasPrefix(name)
    }

    private static func hasPrefix(_ name: String) -> Bool {
        prefixes.contains { name.utf8.starts(with: $0.utf8) }
    }

    /// A parameter's name as the kernel compares it: a dash equals an underscore (kernel/params.c, `dash2underscore`).
    static func canonical(_ name: some Sequence<UInt8>) -> String {
        String(decoding: name.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }, as: UTF8.self)
    }

    private static func contains(_ text: String, _ part: String) -> Bool {
        let text = Array(text.utf8), part = Array(part.utf8)
        guard text.count >= part.count else { return false }
        return (0...text.count - part.count).contains { text[$0..<$0 + part.count].elementsEqual(part) }
    }

    /// A parameter as a command line needs it: a value with white space is in quotes, as kernel/params.c expects them.
    static func quoted(_ parameter: String) -> String {
        guard parameter.utf8.contains(where: { $0 == UInt8(ascii: " ") || (9...13).contains($0) }) else {
            return parameter
        }
        guard let equals = parameter.utf8.firstIndex(of: UInt8(ascii: "=")) else { return "\"\(parameter)\"" }
        let end = parameter.utf8.index(after: equals)
        return "\(String(parameter[..<end]))\"\(String(parameter[end...]))\""
    }

    /// A parameter without the values that are not for kernel B; nil if nothing is left.
    private static func trimmed(_ parameter: String) -> String? {
        if parameter.utf8.starts(with: "iommu=".utf8) {
            // `soft` asks for the same bounce buffers as swiotlb= (6.12, arch/x86/kernel/pci-dma.c, `iommu_setup`).
            let values = parameter.utf8.dropFirst(6).split(separator: UInt8(ascii: ",")).filter {
                !$0.starts(with: "soft".utf8)
            }
            guard !values.isEmpty else { return nil }
            return "iommu=" + values.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ",")
        }
        // Kernel A's fake NUMA nodes would divide kernel B's little memory.
        return parameter.utf8.starts(with: "numa=fake".utf8) ? nil : parameter
    }

    /// The parameters of a command line that kernel B gets, with quotes where a value needs them.
    static func passedOn(_ commandLine: KernelCommandLine) -> [String] {
        commandLine.parameters.filter { isPassedOn($0) }.compactMap { trimmed($0) }.map { quoted($0) }
    }

    /// The parameters among them that kernel C may need as well: all except those for consoles.
    static func usefulForKernelC(_ commandLine: KernelCommandLine) -> [String] {
        passedOn(commandLine).filter { !isOneOf(consoleNames + ["tsx"], $0) }
    }

    /// The parameters among them that are for consoles.
    static func consoles(_ commandLine: KernelCommandLine) -> [String] {
        passedOn(commandLine).filter { isOneOf(consoleNames, $0) }
    }

    private static let consoleNames = [
        "console", "earlyprintk", "earlycon", "loglevel", "video", "nomodeset", "vga", "fbcon",
    ]

    private static func isOneOf(_ names: [String], _ parameter: String) -> Bool {
        let name = canonical(parameter.utf8.prefix { $0 != UInt8(ascii: "=") })
        return names.contains { $0.utf8.elementsEqual(name.utf8) }
    }
}

/// Refuses parameters with which kernel B cannot jump back into kernel A. The administrator may try any other parameter: if
/// kernel B fails, it reports that or restarts.
/// - Parameters:
///   - additional: the administrator's parameters; they come last, and the last one of a name counts.
///   - hasFiveLevels: whether kernel A runs with 5-level page tables.
func requireJumpBack(_ additional: KernelCommandLine, hasFiveLevels: Bool) throws(Failure) {
    // From these, kernel B knows that it is kernel B, and where to jump.
    let reserved = ["kexec_jump_back_entry", "torpor.session"]
    // With these, the kernel runs another program than /init, or ignores the initramfs.
    let start = ["rdinit", "noinitrd"]
    // With these, the kernel refuses to load the jump (kernel/kexec.c, `kexec_load_check`).
    let locks = [
        "lockdown", "sysctl.kernel.kexec_load_disabled", "sysctl.kernel.kexec_load_limit_reboot",
        "sysctl.kernel/kexec_load_disabled", "sysctl.kernel/kexec_load_limit_reboot",
    ]
    // The jump needs page tables with as many levels as kernel A's.
    let names = reserved + start + locks + (hasFiveLevels ? ["no5lvl"] : [])
    for parameter in additional.parameters {
        let name = HardwareParameters.canonical(parameter.utf8.prefix { $0 != UInt8(ascii: "=") })
        guard names.contains(where: { $0.utf8.elementsEqual(name.utf8) }) else { continue }
        throw Failure(
            "use", "\(parameter.utf8.printable) in --append", "kernel B could not jump back into kernel A with it",
            remedy: "remove it")
    }
}
