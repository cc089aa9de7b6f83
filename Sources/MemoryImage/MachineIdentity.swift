// SPDX-License-Identifier: Apache-2.0
import Basics

/// What must be the same after power-on: kernel A goes on with what it found of the machine when it booted. Kernel A collects
/// it, and kernels B and C compare.
public struct MachineIdentity: Equatable, Sendable {
    /// Whether kernel A runs with 5-level page tables.
    public var hasFiveLevelPaging = false
    /// CPUs that kernel A had online.
    public var processorCount: UInt32 = 0
    /// The processor's features, as `processorFeatures()` reads them; empty if they are not known.
    public var processorFeatures: [UInt64] = []
    /// The revision of the processor's microcode; 0 if it is not known.
    public var microcodeRevision: UInt64 = 0
    /// The XXH64 of the firmware's ACPI tables; 0 if there are none.
    public var acpiChecksum: UInt64 = 0
    /// Kernel A's memory that was plugged in and that ACPI describes as a device, so that the firmware's map of the next boot
    /// may lack it: whole pages, ascending.
    public var hotPluggedRanges: [PhysicalRange] = []
    /// The firmware's map as it was when kernel A booted, without `hotPluggedRanges`.
    public var firmwareMap: [FirmwareRange] = []

    public init() {}
}
