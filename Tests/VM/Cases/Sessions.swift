// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

/// Helpers for most tests: a small kernel A that hibernates, and access to the image.
extension Lab {
    /// Makes a machine of 512 MiB that hibernates to the first partition of its first disk, and then compares the data that it
    /// had in memory.
    /// - Parameters:
    ///   - disk: a disk with a hibernation partition; nil if the guest formats one of its own.
    ///   - mebibytes: size of the random data.
    ///   - arguments: more arguments for `torpor hibernate`.
    ///   - before: commands between formatting and hibernating.
    ///   - others: more disks.
    func sessionMachine(
        _ name: String = "a", disk: URL? = nil, mebibytes: Int = 16, arguments: String = "", before: String = "",
        others: [URL] = []
    ) throws -> Machine {
        var a = try kernelA(
            name, disks: [try disk ?? partitionedDisk("hibernation", 512 << 20)] + others,
            """
            dd if=/dev/urandom of=/tmp/data bs=1M count=\(mebibytes) 2>/dev/null
            md5sum /tmp/data >/tmp/sum
            \(disk == nil ? "expect format torpor format /dev/vda1" : "")
            \(before)
            say trigger
            expect hibernate hibernate \(arguments)
            say running
            expect "the data are unchanged" md5sum -c /tmp/sum
            """)
        a.memory = "512M"
        return a
    }

    /// Makes a disk with a hibernation partition, formatted on this machine, not in a guest.
    /// - Parameter isPartitioned: false if the whole disk is the hibernation partition.
    func formattedDisk(
        _ name: String = "hibernation", byteCount: UInt64 = 512 << 20, isPartitioned: Bool = true
    ) throws -> URL {
        let image = try isPartitioned ? partitionedDisk(name, byteCount) : disk(name, byteCount)
        let partition = try partition(of: image)
        try HibernationPartition.format(partition.path, label: "", uuid: .zero, [])
        try putBack(partition, Superblock.dataOffset, onto: image)
        return image
    }

    /// The hibernation partition of a disk, or the disk itself if it has no partitions; a copy, for reading only.
    func hibernationPartition(of image: URL) throws -> HibernationPartition {
        try HibernationPartition(partition(of: image).path)
    }

    /// Changes the superblock of the hibernation partition on a disk.
    func updateSuperblock(of image: URL, _ change: (inout Superblock) -> Void) throws {
        let partition = try partition(of: image)
        try HibernationPartition(partition.path, .write).update(change)
        try putBack(partition, Superblock.dataOffset, onto: image)
    }

    /// Runs a machine until its session is saved on its disk, ready to resume.
    /// - Parameter others: more disks.
    func savedMachine(others: [URL] = []) throws -> Machine {
        let a = try sessionMachine(others: others)
        let result = try run(a)
        #expect(result.verdicts("FAILED") == [])
        result.expectConsole("torpor: powering off")
        #expect(try superblock(a).state == .ready)
        return a
    }

    /// The superblock of the hibernation partition on a machine's first disk.
    func superblock(_ machine: Machine) throws -> Superblock {
        try hibernationPartition(of: machine.disks[0].image).superblock
    }
}

extension Machine.Result {
    /// Expects that kernel A came back with its data.
    func expectSession(_ location: SourceLocation = #_sourceLocation) {
        expectDone(location)
        #expect(verdict.contains("ok the data are unchanged"), sourceLocation: location)
    }

    /// Expects that kernel C did not resume, for this reason, and powered off.
    func expectNoSession(_ reason: String, _ location: SourceLocation = #_sourceLocation) {
        expectConsole(reason, location)
        expectConsole("torpor: powering off", location)
        #expect(!console.contains("jumping into kernel A"), "kernel C resumed the image", sourceLocation: location)
        #expect(!verdict.contains("running"), "the session runs", sourceLocation: location)
    }
}

/// Ordinary starts, for the suites.
extension MachineTests {
    /// The machine after power-on, with an initramfs that is not Torpor's.
    /// - Parameters:
    ///   - before: commands before torpor-resume.
    ///   - after: commands behind it, if it returns.
    static func ordinary(
        _ name: String, like machine: Machine, _ lab: Lab, _ commandLine: String = "", options: String = "",
        before: String = "", after: String = ""
    ) throws -> Machine {
        var c = machine
        c.name = name
        c.initrd = try Guest.initrd(
            """
            \(before)
            start=$(cut -d ' ' -f 1 /proc/uptime)
            torpor-resume \(options) 2>/tmp/errors
            say status $?
            say seconds $start $(cut -d ' ' -f 1 /proc/uptime)
            [ -s /tmp/errors ] && say errors "$(cat /tmp/errors)"
            \(after)
            say boots on

            """, files: ["bin/torpor-resume": Products.initProgram], hibernates: false, in: lab.folder,
            name: name)
        c.commandLine = "quiet \(commandLine)"
        return c
    }

    /// Expects that torpor-resume returned, and that the start went on.
    static func expectBoot(_ result: Machine.Result, _ location: SourceLocation = #_sourceLocation) {
        #expect(result.verdict.contains("status 0"), sourceLocation: location)
        #expect(result.verdict.suffix(2) == ["boots on", "done"], sourceLocation: location)
    }
}

/// Whether to run the long form of the tests (`make torture`), of which `make machines` runs a sample.
let isTorture = ProcessInfo.processInfo.environment["TORPOR_TORTURE"] != nil

/// Whether to run every machine test (`make machines`), of which `make test` runs a sample: one of each kind.
let isComplete = isTorture || ProcessInfo.processInfo.environment["TORPOR_MACHINES"] != nil

extension Trait where Self == ConditionTrait {
    /// For a test that is not in the sample.
    static var completeRunOnly: Self { .enabled(if: isComplete, "make machines runs this test") }
}
