// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Kexec
import PhysicalMemory
import Testing

@testable import Hibernation

/// Where kernel A's memory comes from, and what kernel C would not find.
@Suite struct MemorySurveyTests {
    /// `-m 1G,slots=2,maxmem=4G` with a module of 1 GiB that ACPI describes.
    private static let plugged = """
        00000000-00000fff : Reserved
        00001000-0009fbff : System RAM
        000f0000-000fffff : Reserved
        00100000-3ffdffff : System RAM
        3ffe0000-3fffffff : Reserved
        100000000-13fffffff : System RAM

        """
    private static let pluggedRange: PhysicalRange = 0x1_0000_0000..<0x1_4000_0000
    private static let boot: [PhysicalRange] = [0..<0x9fc00, 0x10_0000..<0x3ffe_0000]

    private func map(_ ranges: [PhysicalRange]) -> [FirmwareRange] {
        ranges.map { FirmwareRange(addresses: $0, type: "System RAM") }
    }

    private func survey(
        _ table: String, map ranges: [PhysicalRange]? = nil, boot: [PhysicalRange] = [], acpi: [PhysicalRange] = []
    ) throws -> MemorySurvey {
        let entries = try parseIOMemory(table)
        let ranges = ranges ?? entries.filter { $0.name == "System RAM" && $0.depth == 0 }.map { $0.addresses }
        return try MemorySurvey(entries, firmwareMap: map(ranges), bootMemory: boot) { (_) throws(Failure) in acpi }
    }

    private func refusal(_ body: () throws -> MemorySurvey) -> String? {
        do {
            _ = try body()
            return nil
        } catch { return "\(error)" }
    }

    /// The kernel adds a module to /sys/firmware/memmap; it is no part of what kernel C has to find there.
    @Test func takesPluggedMemoryThatACPIDescribes() throws {
        let survey = try survey(
            Self.plugged, map: Self.boot + [Self.pluggedRange], boot: Self.boot,
            acpi: [0x1_0000_0000..<0x1_8000_0000])
        #expect(survey.memory.last == Self.pluggedRange)
        #expect(survey.hotPlugged == [Self.pluggedRange])
        #expect(survey.firmwareMap == map(Self.boot))
    }

    /// Neither is memory that ACPI describes plugged because of that: servers describe all of theirs.
    @Test func takesMemoryThatWasThereAtBoot() throws {
        let survey = try survey(
            Self.plugged, map: Self.boot + [Self.pluggedRange], boot: Self.boot + [Self.pluggedRange],
            acpi: [Self.pluggedRange])
        #expect(survey.hotPlugged == [])
        #expect(survey.firmwareMap == map(Self.boot + [Self.pluggedRange]))
    }

    /// hv_balloon and Xen add memory under its usual name, and to the firmware's map as well.
    @Test(arguments: [[], [0x1_0000_0000..<0x1_2000_0000]] as [[PhysicalRange]])
    func refusesMemoryThatOnlyADriverKnows(acpi: [PhysicalRange]) {
        let text = refusal {
            try survey(Self.plugged, map: Self.boot + [Self.pluggedRange], boot: Self.boot, acpi: acpi)
        }
        let start: UInt64 = acpi.isEmpty ? 0x1_0000_0000 : 0x1_2000_0000
        #expect(
            text?.contains("the System RAM at 0x\(hexadecimal(start))-0x140000000 is neither in the firmware's") == true
        )
    }

    /// `memmap=1G@4G`, or a map that kernel A had from elsewhere.
    @Test func refusesMemoryThatTheFirmwareDoesNotHave() {
        #expect(refusal { try survey(Self.plugged, map: Self.boot) }?.contains("0x100000000-0x140000000") == true)
    }

    @Test func namesMemoryOfDrivers() {
        let text = refusal { try survey(MachineTables.kmem) }
        #expect(text?.contains("the memory System RAM (kmem) at 0x200000000-0x5c0000000 was added by a driver") == true)
        #expect(text?.contains("(17.0 GiB in all)") == true, "\(text ?? "")")
        for name in ["virtio_mem", "dax_hmem", "something new"] {
            let table = "00100000-3fffffff : System RAM\n100000000-13fffffff : System RAM (\(name))\n"
            #expect(refusal { try survey(table) }?.contains("System RAM (\(name))") == true)
        }
    }

    private static let memoryDisk = """
        00100000-3fffffff : System RAM
        100000000-1ffffffff : Persistent Memory (legacy)
          100000000-1ffffffff : namespace0.0
        200000000-2ffffffff : System RAM

        """

    /// `memmap=4G!4G` makes a disk of RAM, which is empty after the power-off.
    @Test func refusesMemoryThatIsADisk() {
        let map: [PhysicalRange] = [0x10_0000..<0x4000_0000, 0x1_0000_0000..<0x3_0000_0000]
        let text = refusal { try survey(Self.memoryDisk, map: map) }
        #expect(text?.contains("the memory at 0x100000000-0x200000000 is a disk (Persistent Memory (legacy))") == true)
        #expect(text?.contains("boot without memmap=SIZE!ADDRESS") == true)
        #expect(
            refusal { try survey(Self.memoryDisk.replacing(" (legacy)", with: ""), map: map) }?.contains("is a disk")
                == true)
    }

    @Test func takesPersistentMemoryOfTheFirmware() throws {
        let map: [PhysicalRange] = [0x10_0000..<0x4000_0000, 0x2_0000_0000..<0x3_0000_0000]
        let survey = try survey(Self.memoryDisk, map: map)
        #expect(survey.memory == map)
        #expect(
            survey.reserved == [
                E820Entry(addresses: 0x1_0000_0000..<0x2_0000_0000, kind: .legacyPersistentMemory)
            ])
    }

    /// Memory that the firmware has set apart is RAM all the same.
    @Test func refusesDirectAccessToMemorySetApart() throws {
        let system = try FakeSystem()
        try system.addProcess(40, "database")
        try system.link("proc/40/fd/3", "/dev/dax0.0")
        func refusal(_ table: String) throws -> Failure? {
            let entries = try parseIOMemory(table)
            do throws(Failure) { try MemorySurvey.requireNoDirectAccess(entries, system.folders) } catch {
                return error
            }
            return nil
        }
        let apart = "00100000-3fffffff : System RAM\n100000000-1ffffffff : Soft Reserved\n"
        #expect(try refusal("00100000-3fffffff : System RAM\n") == nil)
        #expect(try refusal(apart)?.reason.hasPrefix("database (40) uses memory through /dev/dax0.0") == true)
        // One on persistent memory.
        try system.write("sys/bus/dax/devices/dax0.0/resource", "0x200000000\n")
        #expect(try refusal(apart) == nil)
        try system.write("sys/bus/dax/devices/dax0.0/resource", "0x180000000\n")
        #expect(try refusal(apart) != nil)
        // Mapped, and no longer open.
        try system.remove("proc/40/fd/3")
        #expect(try refusal(apart) == nil)
        try system.write("proc/40/maps", "7f0000000000-7f0000200000 rw-s 00000000 00:05 2 /dev/dax0.0\n")
        #expect(try refusal(apart) != nil)
    }

    /// Memory that the firmware's map has is saved however deep it lies; what lies there without that is refused.
    @Test func takesNestedMemory() throws {
        let table = """
            00100000-3fffffff : System RAM
            100000000-1ffffffff : CXL Window 0
              100000000-17fffffff : System RAM
                101000000-1017fffff : Kernel code
            """
        let nested: PhysicalRange = 0x1_0000_0000..<0x1_8000_0000
        #expect(try survey(table, map: [0x10_0000..<0x4000_0000, nested]).memory == [0x10_0000..<0x4000_0000, nested])
        #expect(refusal { try survey(table, map: [0x10_0000..<0x4000_0000]) } != nil)
    }

    @Test func takesRangesWithOddEnds() throws {
        let survey = try survey(MachineTables.bhyve)
        #expect(survey.memory == [0x1000..<0x9f000, 0x10_0000..<0x4000_0000])
        #expect(survey.reserved == [E820Entry(addresses: 0..<0x1000, kind: .reserved)])
    }

    /// Reserved ranges at any depth, and every name of the kernel's.
    @Test func passesOnReservedRanges() throws {
        let reserved = try survey(MachineTables.haswell).reserved
        #expect(reserved.contains(E820Entry(addresses: 0xf800_0000..<0xfc00_0000, kind: .reserved)))
        #expect(reserved.contains(E820Entry(addresses: 0xfee0_0000..<0xfee0_1000, kind: .reserved)))
        #expect(
            reserved.contains(E820Entry(addresses: 0xdba6_3000..<0xdbaf_f000, kind: .reserved)), "Unknown E820 type")
        #expect(reserved.contains(E820Entry(addresses: 0xda68_7000..<0xdade_3000, kind: .acpiNonVolatile)))
        #expect(reserved.allSatisfy { $0.kind != .memory })
    }

    @Test func readsTheBootLoadersMap() throws {
        var parameters = [UInt8](repeating: 0, count: 4096)
        func entry(_ start: UInt64, _ size: UInt64, _ type: UInt32) -> [UInt8] {
            var bytes: [UInt8] = []
            bytes.append(littleEndian: start)
            bytes.append(littleEndian: size)
            bytes.append(littleEndian: type)
            return bytes
        }
        parameters.put(UInt8(3), at: 0x1e8)
        parameters.put(
            entry(0, 0x9fc00, 1) + entry(0x9fc00, 0x400, 2) + entry(0x10_0000, 0x100_0000, 1) + entry(1 << 40, 4096, 1),
            at: 0x2d0, limit: 80)
        #expect(try bootMemory(parameters, more: []) == [0..<0x9fc00, 0x10_0000..<0x110_0000])
        let more = entry(0x1_0000_0000, 0x1000, 1) + entry(.max, 2, 1)
        #expect(try bootMemory(parameters, more: [more]).last == 0x1_0000_0000..<0x1_0000_1000)
        #expect(try bootMemory([], more: [more]) == [])
    }

    /// Memory blocks and setup data as /sys has them.
    @Test func readsFoldersOfTheKernel() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        func put(_ path: String, _ content: Data) throws {
            let file = folder.appending(path: path)
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try content.write(to: file)
        }
        let memory = folder.appending(path: "memory").path
        #expect(try memoryDescribedByACPI([Self.pluggedRange], memory) == [])
        try put("memory/block_size_bytes", Data("8000000\n".utf8))
        for (number, device) in [(32, "PNP0C80"), (33, "PNP0C80"), (34, "ACPI0012"), (36, "PNP0C80"), (40, "PNP0C80")] {
            try put("memory/memory\(number)/firmware_node/hid", Data("\(device)\n".utf8))
        }
        try put("memory/memory35/state", Data("online\n".utf8))
        #expect(
            try memoryDescribedByACPI([0x1_0400_0000..<0x1_4000_0000], memory) == [
                0x1_0400_0000..<0x1_1000_0000, 0x1_2000_0000..<0x1_2800_0000,
            ])
        try put("setup_data/0/type", Data("0x1\n".utf8))
        try put("setup_data/0/data", Data([1, 2, 3]))
        try put("setup_data/1/type", Data("0x9\n".utf8))
        try put("setup_data/1/data", Data([4]))
        #expect(try readSetupData(folder.appending(path: "setup_data").path) == [[1, 2, 3]])
        #expect(try readSetupData("/nowhere") == [])
    }
}
