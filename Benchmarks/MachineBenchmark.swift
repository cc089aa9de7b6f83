// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage

/// One way to hibernate the same guest.
enum Hibernator: String, CaseIterable, Codable {
    case torpor
    case kernelLZO = "kernel-lzo"
    case kernelLZ4 = "kernel-lz4"
}

/// The results of one run.
struct Sample: Codable {
    /// Seconds from the command in the guest to power-off.
    var save: Double
    /// Seconds from power-on until the guest's process runs again.
    var resume: Double
    /// Bytes of the disk image that are allocated after the save.
    var stored: Double
}

/// Hibernates and resumes a guest in one way.
struct MachineBenchmark {
    let lab: Lab
    let contents: ContentsDisk
    /// Torpor's codec.
    let codec: Codec
    /// Features to add to the CPU model of the machine.
    let cpuFeatures: String

    /// N, as large as the small test kernel needs. Kernel A swaps the memory below N page by page, and an emulated machine is
    /// slow at that.
    static let backupEnd = "64M"

    func run(_ hibernator: Hibernator, _ contents: Contents, mebibytes memory: Int) throws -> Sample {
        let disk = try lab.disk("disk", UInt64(memory) << 21)
        let fill = contents.script(memory: memory)
        var a = try lab.kernelA("a", disks: [disk, self.contents.image], fill + script(hibernator))
        a.memory = "\(memory)M"
        a.timeout = 600
        a.cpuFeatures = cpuFeatures
        if hibernator != .torpor {
            a.commandLine = "noresume hibernate.compressor=\(hibernator == .kernelLZ4 ? "lz4" : "lzo")"
        }
        let saved = try lab.run(a)
        try saved.requireNoFailure()
        let stored = try disk.allocatedBytes()
        var c = lab.kernelC("c", like: a, backupEnd: Self.backupEnd)
        if hibernator != .torpor {
            // The kernel resumes before it unpacks the initrd, so any small initrd will do.
            c.commandLine = a.commandLine.replacing("noresume", with: "quiet resume=/dev/vda")
        }
        let resumed = try lab.run(c)
        try resumed.requireNoFailure()
        guard let trigger = saved.time(of: "trigger"), let running = resumed.time(of: "running") else {
            throw Machine.Failed(description: "the guest did not come back; the consoles are in \(lab.folder.path)")
        }
        return Sample(save: saved.seconds - trigger, resume: running, stored: Double(stored))
    }

    private func script(_ hibernator: Hibernator) -> String {
        switch hibernator {
        case .torpor:
            """
            expect format torpor format /dev/vda
            say trigger
            hibernate --backup-end \(Self.backupEnd) --codec \(codec) >/tmp/report || fail "torpor hibernate"
            say running
            """
        case .kernelLZO, .kernelLZ4:
            """
            mkswap /dev/vda >/dev/null 2>&1
            swapon /dev/vda
            echo shutdown >/sys/power/disk
            # No limit for the size of the image.
            echo $(($(awk '/MemTotal/ { print $2 }' /proc/meminfo) * 1024)) >/sys/power/image_size
            say trigger
            echo disk >/sys/power/state || fail "hibernation"
            say running
            """
        }
    }
}

extension Machine.Result {
    /// Throws the first failure that the guest reported.
    func requireNoFailure() throws {
        if let failure = verdicts("FAILED").first { throw Machine.Failed(description: failure) }
    }

    /// The time of a verdict line, in seconds from power-on.
    func time(of line: String) -> Double? { zip(verdict, verdictTimes).first { $0.0 == line }?.1 }
}
