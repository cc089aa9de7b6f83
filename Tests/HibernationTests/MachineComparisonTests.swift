// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory
import Testing

@testable import Hibernation

@Suite struct MachineComparisonTests {
    /// Checksums that are right do not make what is not memory kernel A's.
    @Test(
        arguments: [
            ([0x1000..<0x9f000], true), ([0x1000..<0x9f000, 0x9f000..<0xa0000], false),
            ([0xfee0_0000..<0xfee0_1000], false),
            ([0..<1 << 52], false), ([], true),
        ] as [([PhysicalRange], Bool)])
    func refusesRangesThatAreNotMemory(ranges: [PhysicalRange], isAllowed: Bool) {
        let map = description().machine.firmwareMap.map { FirmwareRange(addresses: $0.addresses, type: $0.type) }
        #expect(((try? requireMemory(ranges, in: map)) != nil) == isAllowed)
    }

    private func description() -> ImageDescription {
        var description = ImageDescription()
        description.backupRanges = [0x1000..<0x9f000, 0x10_0000..<0x800_0000]
        description.machine.firmwareMap = [
            .init(addresses: 0..<0x9fc00, type: "System RAM"), .init(addresses: 0x9fc00..<0xa0000, type: "Reserved"),
        ]
        return description
    }

    @Test func theFirmwaresMapMustBeTheSame() throws {
        let machine = description().machine
        let same = [
            FirmwareRange(addresses: 0..<0x9fc00, type: "System RAM"),
            FirmwareRange(addresses: 0x9fc00..<0xa0000, type: "Reserved"),
        ]
        try machine.requireFirmwareMap(same)
        var others = [same.dropLast(), same + same]
        for change: (inout FirmwareRange) -> Void in [
            { $0.addresses = 1..<0x9fc00 }, { $0.addresses = 0..<0x9fc01 }, { $0.type = "Reserved" },
        ] {
            var other = same
            change(&other[0])
            others.append(other)
        }
        for other in others { #expect(throws: Failure.self) { try machine.requireFirmwareMap(Array(other)) } }
    }

    /// What was plugged in is in the firmware's map at the next boot, or is not.
    @Test func comparesMapsWithoutPluggedMemory() throws {
        let machine = PluggedMemoryFixture.description.machine
        let map = machine.firmwareMap
        try machine.requireFirmwareMap(map)
        try machine.requireFirmwareMap(
            map + [FirmwareRange(addresses: PluggedMemoryFixture.plugged, type: "System RAM")])
        let more = FirmwareRange(addresses: 0x1_4000_0000..<0x1_8000_0000, type: "System RAM")
        #expect(throws: Failure.self) { try machine.requireFirmwareMap(map + [more]) }
        #expect(throws: Failure.self) { try machine.requireFirmwareMap(Array(map.dropLast())) }
    }

    /// CPUs need to be there, started or not.
    @Test func countsCPUsThatAreThere() throws {
        let machine = PluggedMemoryFixture.description.machine
        try machine.requireProcessors(PresentProcessors(count: 4, isInFirmware: true))
        try machine.requireProcessors(PresentProcessors(count: 5, isInFirmware: false))
        let missing = #expect(throws: Failure.self) {
            try machine.requireProcessors(PresentProcessors(count: 3, isInFirmware: true))
        }
        #expect(missing?.reason == "it ran on 4 CPUs, but this machine has 3")
        let unknown = #expect(throws: Failure.self) {
            try machine.requireProcessors(PresentProcessors(count: 3, isInFirmware: false))
        }
        #expect(unknown?.remedy?.contains("nr_cpus=") == true)
    }
}
