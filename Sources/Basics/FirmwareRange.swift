// SPDX-License-Identifier: Apache-2.0

/// A range of the memory map that the firmware gave, as /sys/firmware/memmap has it (Documentation/ABI/testing/
/// sysfs-firmware-memmap): what `mem=` cuts from the kernel's own map is still in it.
public struct FirmwareRange: Equatable, Sendable {
    public var addresses: PhysicalRange
    /// `System RAM`, `Reserved`, `ACPI Tables`, …
    public var type: String
    public init(addresses: PhysicalRange, type: String) {
        self.addresses = addresses
        self.type = type
    }
}
