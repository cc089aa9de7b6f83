// SPDX-License-Identifier: Apache-2.0
import Basics
import ELF

/// A kernel to load and jump into, with all that it gets.
public struct KexecPayload: Sendable {
    /// What the kernel is for.
    enum Purpose: Sendable {
        /// Kernel B: it gets the loading kernel's memory as /proc/vmcore. Its segments cover its whole range, because kexec
        /// swaps what they cover (KEXEC_PRESERVE_CONTEXT).
        /// - savedRanges: the memory for /proc/vmcore.
        /// - notes: the notes for /proc/vmcore.
        case saving(savedRanges: [PhysicalRange], notes: [CoreNote])
        /// Kernel C: it replaces the loading kernel.
        case restoring
    }

    public var kernel: BzImage
    public var initrd: [UInt8]
    /// The parameters of its command line. The plan adds those that depend on addresses.
    public var commandLine: String
    /// The memory in which all parts are placed, as whole pages, ascending. Kernel B runs in it: it is kernel A's System RAM
    /// below N.
    public var backupRanges: [PhysicalRange]
    var purpose: Purpose
    /// The kernel's memory map without `backupRanges` for kernel B, the whole map for kernel C.
    public var memoryMap: [E820Entry]
    /// The physical address of ACPI's RSDP; 0 if unknown.
    public var rsdp: UInt64
    /// The running kernel's boot_params; empty if unknown.
    public var ownBootParameters: [UInt8]

    /// Kernel B.
    /// - Parameters:
    ///   - savedRanges: kernel A's memory, for kernel B's /proc/vmcore.
    ///   - reservedEntries: the firmware's ranges that are not memory.
    ///   - notes: the notes for kernel B's /proc/vmcore.
    public init(
        kernel: BzImage, initrd: [UInt8], commandLine: String, backupRanges: [PhysicalRange],
        savedRanges: [PhysicalRange], reservedEntries: [E820Entry], notes: [CoreNote], rsdp: UInt64,
        ownBootParameters: [UInt8]
    ) {
        self.kernel = kernel
        self.initrd = initrd
        self.commandLine = commandLine
        self.backupRanges = backupRanges
        purpose = .saving(savedRanges: savedRanges, notes: notes)
        memoryMap = reservedEntries
        self.rsdp = rsdp
        self.ownBootParameters = ownBootParameters
    }

    /// Kernel C.
    /// - Parameters:
    ///   - ranges: the memory in which all parts are placed.
    ///   - memoryMap: the firmware's memory map.
    public init(
        kernelC kernel: BzImage, initrd: [UInt8], commandLine: String, in ranges: [PhysicalRange],
        memoryMap: [E820Entry], rsdp: UInt64, ownBootParameters: [UInt8]
    ) {
        self.kernel = kernel
        self.initrd = initrd
        self.commandLine = commandLine
        backupRanges = ranges
        purpose = .restoring
        self.memoryMap = memoryMap
        self.rsdp = rsdp
        self.ownBootParameters = ownBootParameters
    }

    /// The loaded kernel's name in messages.
    var name: String {
        switch purpose {
        case .saving: "kernel B"
        case .restoring: "kernel C"
        }
    }
}
