// SPDX-License-Identifier: Apache-2.0

/// A range of the firmware's memory map, from /sys/firmware/memmap (Documentation/ABI/testing/sysfs-firmware-memmap). This map
/// still has the memory that `mem=` cuts from the kernel's own map.
public struct FirmwareRange: Equatable, Sendable {
    public var addresses: PhysicalRange
    /// `System RAM`, `Reserved`, `ACPI Tables`, …
    public var type: String
    public init(addresses: PhysicalRange, type: String) {
        self.addresses = addresses
        self.type = type
    }
}
