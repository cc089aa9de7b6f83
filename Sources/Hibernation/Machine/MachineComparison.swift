// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory

/// Comparisons of kernel A's machine with the one that this kernel runs on. Each check refuses, and names the difference.
extension MachineIdentity {
    /// Kernel A switches to its own page tables within the page of its entry, so both kernels must use the same number of
    /// levels.
    func requirePageTables(hasFiveLevels: Bool) throws(Failure) {
        guard hasFiveLevels != hasFiveLevelPaging else { return }
        throw Failure(
            "resume", "kernel A",
            "it ran with \(hasFiveLevelPaging ? 5 : 4)-level page tables, but this kernel runs with "
                + "\(hasFiveLevels ? 5 : 4)-level page tables",
            remedy: hasFiveLevelPaging ? "boot without no5lvl" : "boot with no5lvl")
    }

    /// Compares the firmware's memory map, as the kernel's own hibernation does (arch/x86/power/hibernate.c). Memory that was
    /// plugged in is left out on both sides, because the firmware may list it in the map of the next boot.
    func requireFirmwareMap(_ map: [FirmwareRange]) throws(Failure) {
        let now = map.without(hotPluggedRanges)
        let then = firmwareMap.without(hotPluggedRanges)
        for (range, old) in zip(now, then) where range != old {
            throw Failure(
                "resume", "kernel A",
                "the machine's memory map has changed: \(hexadecimal(range.addresses)) is \(range.type), but "
                    + "\(hexadecimal(old.addresses)) was \(old.type)")
        }
        guard now.count == then.count else {
            throw Failure(
                "resume", "kernel A",
                "the machine's memory map has changed: it has \(now.count) ranges, but had \(then.count)")
        }
    }

    /// Kernel A starts its CPUs itself, so they must exist, but this kernel need not have started them.
    func requireProcessors(_ present: PresentProcessors) throws(Failure) {
        guard present.count < Int(processorCount) else { return }
        throw Failure(
            "resume", "kernel A", "it ran on \(processorCount) CPUs, but \(present)",
            remedy: present.isInFirmware
                ? "give the machine as many CPUs as it had" : "boot without nr_cpus=, maxcpus= and nosmp")
    }

    /// Kernel A continues to use the features that it found when it booted.
    /// - Parameter microcode: the revision of the microcode; 0 if unknown. Another revision alone is no reason to refuse, but
    ///   it often explains missing features.
    func requireFeatures(_ features: [UInt64], microcode: UInt64 = 0) throws(Failure) {
        guard let difference = processorDifference(processorFeatures, features) else { return }
        guard microcodeRevision != 0, microcode != 0, microcodeRevision != microcode else {
            throw Failure("resume", "kernel A", "the processor has changed: \(difference)")
        }
        throw Failure(
            "resume", "kernel A",
            "the processor has changed: \(difference); it has microcode 0x\(hexadecimal(microcode)) instead of "
                + "0x\(hexadecimal(microcodeRevision))",
            remedy: "give kernel C the same microcode: mkinitramfs.sh --microcode FILE")
    }

    /// Kernel A read the ACPI tables once, and continues to use that copy.
    func requireACPITables(_ checksum: UInt64) throws(Failure) {
        guard checksum != acpiChecksum else { return }
        throw Failure(
            "resume", "kernel A", "the firmware's ACPI tables have changed",
            remedy:
                "undo changes to the hardware and the firmware's settings; if kernel A's initramfs replaces tables, "
                + "give kernel C the same ones: mkinitramfs.sh --acpi-tables DIRECTORY")
    }
}

/// Refuses physical addresses that are not RAM in the firmware's memory map.
func requireMemory(_ ranges: [PhysicalRange], in map: [FirmwareRange]) throws(Failure) {
    let memory = map.filter { $0.type == "System RAM" }.map { $0.addresses }
    guard let foreign = ranges.subtracting(memory).first else { return }
    throw Failure(
        "resume", "kernel A", "the firmware's memory map has no memory at \(hexadecimal(foreign))",
        remedy: "boot kernel A without memmap= and add_efi_memmap")
}
