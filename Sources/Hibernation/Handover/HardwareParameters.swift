// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage

/// Which words of kernel A's command line kernel B gets as well: those that tell the kernel how to deal with this machine's
/// hardware, by the name of a parameter or of a module. Everything else stays with A.
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
    /// Beginnings of parameters, and of modules: what stands in front of the first dot.
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
    /// Never, although a rule above would: what changes kernel B's memory, its role, or its speed beyond use.
    private static let never: Set<String> = [
        "root", "init", "rdinit", "nr_cpus", "maxcpus", "possible_cpus", "nosmp", "mem", "memmap", "crashkernel",
        "elfcorehdr", "hugepages", "hugepagesz", "default_hugepagesz", "acpi_no_memhotplug", "no5lvl",
        // These make devices of disks, which kernel B is to leave alone.
        "dm_mod.create", "dm_mod.waitfor", "raid",
        // Buffers for DMA lie below N here, and need no copies in low memory, which would take memory of kernel B's.
        "swiotlb",
        // No USB disk or keyboard would answer.
        "usbcore.authorized_default",
    ]
    private static let neverInside = ["debug", "poison", "dyndbg", "trace"]

    /// Whether a word is passed on.
    static func keepsHardwareAlive(_ word: String) -> Bool {
        if word.utf8.elementsEqual("raid=noautodetect".utf8) { return true }
        let name = canonical(word.utf8.prefix { $0 != UInt8(ascii: "=") })
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

    /// A parameter's name as the kernel compares it: dashes and underscores are the same (kernel/params.c, `dash2underscore`).
    static func canonical(_ name: some Sequence<UInt8>) -> String {
        String(decoding: name.map { $0 == UInt8(ascii: "-") ? UInt8(ascii: "_") : $0 }, as: UTF8.self)
    }

    private static func contains(_ text: String, _ part: String) -> Bool {
        let text = Array(text.utf8), part = Array(part.utf8)
        guard text.count >= part.count else { return false }
        return (0...text.count - part.count).contains { text[$0..<$0 + part.count].elementsEqual(part) }
    }

    /// A word as it stands on a command line: a value with white space in quotes, around the value as kernel/params.c
    /// expects them.
    static func quoted(_ word: String) -> String {
        guard word.utf8.contains(where: { $0 == UInt8(ascii: " ") || (9...13).contains($0) }) else { return word }
        guard let equals = word.utf8.firstIndex(of: UInt8(ascii: "=")) else { return "\"\(word)\"" }
        let end = word.utf8.index(after: equals)
        return "\(String(word[..<end]))\"\(String(word[end...]))\""
    }

    /// A word without those of its values that are not for kernel B; nil if nothing is left.
    private static func trimmed(_ word: String) -> String? {
        if word.utf8.starts(with: "iommu=".utf8) {
            // The same copies as swiotlb= asks for (6.12, arch/x86/kernel/pci-dma.c, `iommu_setup`).
            let values = word.utf8.dropFirst(6).split(separator: UInt8(ascii: ",")).filter {
                !$0.starts(with: "soft".utf8)
            }
            guard !values.isEmpty else { return nil }
            return "iommu=" + values.map { String(decoding: $0, as: UTF8.self) }.joined(separator: ",")
        }
        // Kernel A's nodes would divide kernel B's little memory.
        return word.utf8.starts(with: "numa=fake".utf8) ? nil : word
    }

    /// The words that kernel B gets of a command line, as they have to be written.
    static func passedOn(_ commandLine: KernelCommandLine) -> [String] {
        commandLine.words.filter { keepsHardwareAlive($0) }.compactMap { trimmed($0) }.map { quoted($0) }
    }

    /// Those of them that kernel C may need as well: all but what is for consoles.
    static func worthKnowing(_ commandLine: KernelCommandLine) -> [String] {
        let consoles = ["console", "earlyprintk", "earlycon", "loglevel", "video", "nomodeset", "vga", "fbcon", "tsx"]
        return passedOn(commandLine).filter { word in
            let name = canonical(word.utf8.prefix { $0 != UInt8(ascii: "=") })
            return !consoles.contains { $0.utf8.elementsEqual(name.utf8) }
        }
    }
}

/// Refuses words that leave kernel B without a way back into kernel A. What makes it fail in a way that it reports, or that
/// restarts it, is the administrator's to try.
/// - Parameters:
///   - words: what the administrator adds; they come last, and the last one of a name counts.
///   - hasFiveLevels: whether kernel A runs with 5-level page tables.
func requireJumpBack(_ words: KernelCommandLine, hasFiveLevels: Bool) throws(Failure) {
    // Kernel B takes the place to jump to, and that it is kernel B, from these.
    let reserved = ["kexec_jump_back_entry", "torpor.session"]
    // Another program than /init, or no initramfs.
    let start = ["rdinit", "noinitrd"]
    // With these, the kernel refuses to load the jump (kernel/kexec.c, `kexec_load_check`).
    let locks = [
        "lockdown", "sysctl.kernel.kexec_load_disabled", "sysctl.kernel.kexec_load_limit_reboot",
        "sysctl.kernel/kexec_load_disabled", "sysctl.kernel/kexec_load_limit_reboot",
    ]
    // The jump needs the kind of page tables that kernel A has.
    let names = reserved + start + locks + (hasFiveLevels ? ["no5lvl"] : [])
    for word in words.words {
        let name = HardwareParameters.canonical(word.utf8.prefix { $0 != UInt8(ascii: "=") })
        guard names.contains(where: { $0.utf8.elementsEqual(name.utf8) }) else { continue }
        throw Failure(
            "use", "\(word.utf8.printable) in --append", "kernel B could not jump back into this system with it",
            remedy: "leave it out")
    }
}
