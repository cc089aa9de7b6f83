// SPDX-License-Identifier: Apache-2.0
import Basics
import ELF
import Fixtures
import Linux
import MemoryImage
import Testing

@testable import Hibernation
@testable import Kexec

/// What fits below N, and which N is chosen.
@Suite struct BackupEndTests {
    private static let mebibyte: UInt64 = 1 << 20

    /// A kernel as Debian configures 6.12, but for its contents.
    private static func kernel(initByteCount: UInt32 = 52 << 20) throws -> BzImage {
        try BzImage(
            SmallKernel.bytes(initByteCount: initByteCount, payloadByteCount: 4 << 20), path: "/boot/vmlinuz")
    }

    private static func plan(
        _ memory: [PhysicalRange], below end: UInt64, _ kernel: BzImage, reserved: [E820Entry] = []
    ) throws(Failure) -> LoadPlan {
        let backup = memory.intersection([0..<end])
        return try LoadPlan(
            KexecPayload(
                kernel: kernel, initrd: [UInt8](repeating: 1, count: 1_200_000),
                commandLine: String(repeating: "x", count: 400), backupRanges: backup,
                savedRanges: memory.subtracting(backup), reservedEntries: reserved,
                notes: [CoreNote(name: "Torpor", content: [UInt8](repeating: 1, count: 20_000))], rsdp: 0,
                ownBootParameters: []))
    }

    private static func need(
        kernel: UInt64 = 52 << 20, possible: Int = 4, present: Int = 4, codec: Codec = .lz4, inFirmware: Int = 0,
        bounceBuffers: UInt64 = 0
    ) -> SecondKernelMemory {
        SecondKernelMemory(
            kernel: kernel, initrd: 4 << 20, session: 1 << 20, worker: codec.workerByteCount, possible: possible,
            present: present, inFirmware: inFirmware, bounceBuffers: bounceBuffers)
    }

    private static let flat: [PhysicalRange] = [0x1000..<0x9f000, 0x10_0000..<0x8000_0000, 1 << 32..<16 << 30]

    private func choose(_ need: SecondKernelMemory, _ memory: [PhysicalRange] = flat) throws -> BackupEnd {
        try BackupEnd.choose(memory, need) { (_) throws(Failure) in }
    }

    struct Machine: Sendable, CustomStringConvertible {
        let description: String
        let memory: [PhysicalRange]
        let reserved: [E820Entry]
    }

    /// The maps of MachineTables, with 4 GiB more behind each, since some of them end early.
    private static let machines: [Machine] = {
        var result: [Machine] = []
        var name = "", memory: [PhysicalRange] = [], reserved: [E820Entry] = []
        func finish() {
            guard !memory.isEmpty else { return }
            result.append(
                Machine(
                    description: name, memory: (memory + [1 << 33..<(1 << 33) + (1 << 32)]).wholePages,
                    reserved: reserved))
        }
        for line in MachineTables.memoryMaps.split(separator: "\n") {
            if line.hasPrefix("#") {
                finish()
                (name, memory, reserved) = (String(line.dropFirst(2)), [], [])
                continue
            }
            let bounds = line.prefix { $0 != " " }.split(separator: "-").compactMap { parseHexadecimal($0) }
            let range: PhysicalRange = bounds[0]..<bounds[1] + 1
            switch line.drop(while: { $0 != " " }).dropFirst() {
            case "usable": memory.append(range)
            case "ACPI data": reserved.append(E820Entry(addresses: range, kind: .acpiTables))
            case "ACPI NVS": reserved.append(E820Entry(addresses: range, kind: .acpiNonVolatile))
            default: reserved.append(E820Entry(addresses: range, kind: .reserved))
            }
        }
        finish()
        return result
    }()

    /// Holes of some pages at 64 MiB and 157 MiB, and firmware that leaves ranges of some pages each: a distribution's kernel
    /// finds its place, in no more segments than kexec_load takes.
    @Test(arguments: machines) func findsAPlaceOnRealMachines(machine: Machine) throws {
        let kernel = try Self.kernel()
        func tryLoading(_ end: UInt64) throws(Failure) { _ = try Self.plan(machine.memory, below: end, kernel) }
        let choice = try BackupEnd.choose(machine.memory, Self.need(), tryLoading: tryLoading)
        #expect(choice.end <= 256 << 20 && choice.end % (64 << 20) == 0 && choice.processors == nil)
        let plan = try Self.plan(machine.memory, below: choice.end, kernel, reserved: machine.reserved)
        let backup = machine.memory.intersection([0..<choice.end])
        #expect(plan.segments.count <= 16 && plan.segments.normalized() == backup)
        let place = try #require(plan.pieces.first { $0.name == "kernel" }).address
        #expect(backup.covers(place..<place + 52 << 20))
        #expect(plan.pieces.allSatisfy { backup.covers($0.addresses) })
        // One step below, it does not work.
        let less = choice.end - 64 << 20
        if less >= 128 << 20 {
            #expect(throws: Failure.self) {
                try BackupEnd.check(less, machine.memory, Self.need(), tryLoading: tryLoading)
            }
        }
    }

    @Test func hasRealMachines() { #expect(Self.machines.count == 7) }

    /// What kernel C's command line needs besides the partition's name.
    private func words(_ choice: BackupEnd, needsFourLevels: Bool = false, own: String = "") -> [String] {
        let line = KernelCCommandLine(
            partition: .zero, backupEnd: choice.end, processors: choice.processors, needsFourLevels: needsFourLevels,
            own: KernelCommandLine(own))
        return Array(line.parameters.dropFirst())
    }

    /// What was seen: 128 MiB are enough for a few CPUs, of however many there could be, and not for 64 that are started.
    @Test(
        arguments: [(2, 2, nil), (4, 4, nil), (2, 240, 2)] as [(Int, Int, Int?)])
    func keepsTo128MiBWithFewCPUs(present: Int, possible: Int, limit: Int?) throws {
        #expect(
            try choose(Self.need(possible: possible, present: present)) == BackupEnd(end: 128 << 20, processors: limit))
    }

    /// A kernel A that was told to have 4 of 64 CPUs: kernels B and C would start all of them.
    @Test func limitsKernelBToTheCPUsOfKernelA() throws {
        let choice = try choose(Self.need(possible: 4, present: 4, inFirmware: 64))
        #expect(choice == BackupEnd(end: 128 << 20, processors: 4))
        #expect(words(choice) == ["mem=128M", "nr_cpus=4"])
        // Those in the firmware's table are those that kernel A has.
        #expect(try choose(Self.need(possible: 4, present: 4, inFirmware: 4)).processors == nil)
        #expect(try choose(Self.need(possible: 4, present: 4, inFirmware: 2)).processors == nil)
    }

    /// The firmware's table of nodes turns bounce buffers on, whatever `mem=` says.
    @Test func countsBounceBuffers() throws {
        func table(_ entries: [(start: UInt64, size: UInt64, flags: UInt32)]) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: 48)
            // An entry for a CPU.
            bytes += [0, 16] + [UInt8](repeating: 0xff, count: 14)
            for entry in entries {
                var memory = [UInt8](repeating: 0, count: 40)
                (memory[0], memory[1]) = (1, 40)
                memory.put(entry.start, at: 8)
                memory.put(entry.size, at: 16)
                memory.put(entry.flags, at: 28)
                bytes += memory
            }
            return bytes
        }
        func count(_ table: [UInt8]?) -> UInt64 { SecondKernelMemory.bounceBuffers(affinityTable: table) }
        #expect(count(nil) == 0 && count(table([])) == 0 && count([]) == 0)
        #expect(count(table([(0, 0xc000_0000, 1), (0xc000_0000, 0x4000_0000, 1)])) == 0, "it ends at 4 GiB")
        #expect(count(table([(1 << 32, 1 << 30, 0)])) == 0, "it is not enabled")
        #expect(count(table([(0, 0xa000_0000, 1), (1 << 32, 1 << 30, 1)])) == 66 << 20)
        #expect(count(table([(1 << 32, 1 << 30, 3)])) == 66 << 20, "a place for modules counts as well")
        #expect(count(table([(.max, 2, 1)])) == 66 << 20)
        // What cannot be read may name anything.
        #expect(count(Array(table([(0, 1 << 30, 1)]).dropLast(1))) == 66 << 20)
        #expect(try choose(Self.need(bounceBuffers: 66 << 20)).end == 192 << 20)
    }

    /// CPUID tells kernel C of the features that kernel A has only with the same word.
    @Test func passesOnTheStateOfTSX() {
        let choice = BackupEnd(end: 128 << 20, processors: nil)
        #expect(
            words(choice, own: "ro tsx=auto tsx=on")
                == ["mem=128M", "tsx=on"])
    }

    @Test func givesManyCPUsMoreMemory() throws {
        let choice = try choose(Self.need(possible: 64, present: 64))
        #expect(choice.end > 128 << 20 && choice.end <= 512 << 20)
        #expect(choice.processors ?? 64 >= 16)
        // Never more than there is room for, by the same figures.
        let room = Self.flat.intersection([0..<choice.end]).byteCount
        #expect(
            Self.need(possible: 64, present: 64).processors(end: choice.end, byteCount: room)?.count == choice
                .processors ?? 64)
    }

    /// A small machine does not give an eighth of its memory to more CPUs: it starts fewer.
    @Test func limitsTheCPUsIfMemoryIsShort() throws {
        let memory: [PhysicalRange] = [0x1000..<0x9f000, 0x10_0000..<0x4000_0000]
        let choice = try choose(Self.need(possible: 64, present: 64), memory)
        #expect(choice.end == 128 << 20)
        let processors = try #require(choice.processors)
        #expect(processors >= 1 && processors < 16)
        #expect(words(choice, needsFourLevels: true) == ["mem=128M", "nr_cpus=\(processors)", "no5lvl"])
        #expect(words(BackupEnd(end: 192 << 20, processors: nil)) == ["mem=192M"])
    }

    @Test func takes64MiBOnASmallMachine() throws {
        let memory: [PhysicalRange] = [0x1000..<0x9f000, 0x10_0000..<200 << 20]
        #expect(try choose(Self.need(kernel: 16 << 20, possible: 1, present: 1), memory).end == 64 << 20)
    }

    /// By hand: too small is refused with what works, and large enough is taken as it is.
    @Test func checksARequestedEnd() throws {
        let need = Self.need(kernel: 150 << 20)
        let failure = #expect(throws: Failure.self) {
            try BackupEnd.require(128 << 20, Self.flat, need) { (_) throws(Failure) in }
        }
        #expect(failure?.remedy == "use a larger --backup-end: 256M works")
        let unplaced = #expect(throws: Failure.self) {
            try BackupEnd.require(128 << 20, Self.flat, Self.need()) { (end) throws(Failure) in
                if end < 320 << 20 { throw Failure("load", "the kernel", "a hole") }
            }
        }
        #expect(unplaced?.reason == "a hole" && unplaced?.remedy == "use a larger --backup-end: 320M works")
        for end in [192, 512, 1024] as [UInt64] {
            #expect(
                try BackupEnd.require(end << 20, Self.flat, Self.need()) { (_) throws(Failure) in }.end == end << 20)
        }
        let odd = #expect(throws: Failure.self) {
            try BackupEnd.require(100 << 20, Self.flat, Self.need()) { (_) throws(Failure) in }
        }
        #expect(odd?.reason.contains("not a multiple") == true && odd?.remedy?.contains("works") == false)
    }

    /// More of anything never fits into less.
    @Test func neverFitsMoreIntoLess() {
        func count(_ need: SecondKernelMemory, _ megabytes: UInt64) -> Int {
            need.processors(end: megabytes << 20, byteCount: megabytes << 20)?.count ?? 0
        }
        for present in [1, 2, 8, 64, 512] {
            let usual = Self.need(possible: present, present: present)
            let counts = stride(from: 64, through: 1024, by: 64).map { count(usual, UInt64($0)) }
            #expect(counts == counts.sorted(), "with more memory")
            #expect(counts.last == min(present, counts.last ?? 0) && counts.allSatisfy { $0 <= present })
            for (kernel, codec) in [(80 << 20, .lz4), (52 << 20, .xz(level: 9))] as [(UInt64, Codec)] {
                let larger = Self.need(kernel: kernel, possible: present, present: present, codec: codec)
                for end in stride(from: 64 as UInt64, through: 1024, by: 64) {
                    #expect(count(larger, end) <= count(usual, end))
                }
            }
        }
        #expect(count(Self.need(kernel: 200 << 20), 128) == 0)
    }
}
