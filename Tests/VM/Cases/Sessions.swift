import Foundation
import Machines
import MemoryImage
import Testing

/// What most tests need: a small kernel A that hibernates, and a look at what that left.
extension Lab {
    /// A machine of 512 MiB that hibernates to its first disk, and then compares what it had in memory.
    /// - Parameters:
    ///   - mebibytes: how much random data it has.
    ///   - arguments: more for `torpor hibernate`.
    ///   - before: what the script does first, behind formatting.
    ///   - others: more disks.
    func sessionMachine(
        _ name: String = "a", disk: URL? = nil, mebibytes: Int = 16, arguments: String = "", before: String = "",
        others: [URL] = []
    ) throws -> Machine {
        var a = try kernelA(
            name, disks: [try disk ?? self.disk("hibernation", 512 << 20)] + others,
            """
            dd if=/dev/urandom of=/tmp/data bs=1M count=\(mebibytes) 2>/dev/null
            sha256sum /tmp/data >/tmp/sum
            \(disk == nil ? "expect format torpor format /dev/vda" : "")
            \(before)
            say trigger
            expect hibernate hibernate \(arguments)
            say running
            expect "the data are unchanged" sha256sum -c /tmp/sum
            """)
        a.memory = "512M"
        return a
    }

    /// A disk formatted by this machine, so that no guest need do it.
    func formattedDisk(_ name: String = "hibernation") throws -> URL {
        let image = try disk(name, 512 << 20)
        try HibernationPartition.format(image.path, label: "", uuid: .zero, [])
        return image
    }

    /// A machine whose session waits on its disk.
    /// - Parameter others: more disks.
    func savedMachine(others: [URL] = []) throws -> Machine {
        let a = try sessionMachine(others: others)
        let result = try run(a)
        #expect(result.verdicts("FAILED") == [])
        result.expectConsole("torpor: powering off")
        #expect(try superblock(a).state == .ready)
        return a
    }

    /// What a machine's first disk says.
    func superblock(_ machine: Machine) throws -> Superblock {
        try HibernationPartition(machine.disks[0].image.path).superblock
    }
}

extension Machine.Result {
    /// Kernel A came back, with what it had.
    func expectSession(_ location: SourceLocation = #_sourceLocation) {
        expectDone(location)
        #expect(verdict.contains("ok the data are unchanged"), sourceLocation: location)
    }

    /// Kernel C found nothing that it may resume, and powered off.
    func expectNoSession(_ reason: String, _ location: SourceLocation = #_sourceLocation) {
        expectConsole(reason, location)
        expectConsole("torpor: powering off", location)
        #expect(!console.contains("jumping into kernel A"), "it was resumed", sourceLocation: location)
        #expect(!verdict.contains("running"), "it runs", sourceLocation: location)
    }
}

/// A small generator with a seed, so that what fails once fails again.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// SplitMix64, of Steele, Lea and Flood.
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}

/// Whether the long runs are wanted, of which `make test` has a sample.
let isTorture = ProcessInfo.processInfo.environment["TORPOR_TORTURE"] != nil
