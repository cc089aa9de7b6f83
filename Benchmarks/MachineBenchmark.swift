import Foundation
import Machines

/// One way to hibernate the same guest.
enum Hibernator: String, CaseIterable, Codable {
    case torpor
    case kernelLZO = "kernel-lzo"
    case kernelLZ4 = "kernel-lz4"
}

/// What is in the guest's memory when it hibernates.
enum Contents: String, CaseIterable, Codable {
    case idle
    /// 150 MiB of random data and 150 MiB of text.
    case mixed = "300M-mixed"
    /// Half of the memory, a quarter of it random and three quarters text.
    case half = "half-in-use"
    /// 300 MiB of random data.
    case incompressible = "300M-random"

    /// Mebibytes of random data and of text.
    func mebibytes(of memory: Int) -> (random: Int, text: Int) {
        switch self {
        case .idle: (0, 0)
        case .mixed: (150, 150)
        case .half: (memory / 8, memory * 3 / 8)
        case .incompressible: (300, 0)
        }
    }
}

/// What one run took.
struct Sample: Codable {
    /// Seconds from the command in the guest to power-off.
    var save: Double
    /// Seconds from power-on until the guest's process runs.
    var resume: Double
    /// Bytes of the disk that were written.
    var stored: Double
}

/// Hibernates and resumes one guest in one way.
struct MachineBenchmark {
    let lab: Lab
    /// A disk with text, from which the guest fills its memory.
    let text: URL

    static let textMebibytes = 64

    func run(_ hibernator: Hibernator, _ contents: Contents, mebibytes memory: Int) throws -> Sample {
        let disk = try lab.disk("disk", UInt64(memory) << 21)
        let size = contents.mebibytes(of: memory)
        var a = try lab.kernelA("a", disks: [disk, text], script(hibernator, size))
        a.memory = "\(memory)M"
        a.timeout = 600
        if hibernator != .torpor {
            a.commandLine = "noresume hibernate.compressor=\(hibernator == .kernelLZ4 ? "lz4" : "lzo")"
        }
        let saved = try lab.run(a)
        try expectNoFailure(saved)
        let stored = try allocatedBytes(disk)
        var c = lab.kernelC("c", like: a)
        if hibernator != .torpor {
            // The kernel resumes before it looks at the initrd, so the small one does for it as well.
            c.commandLine = a.commandLine.replacing("noresume", with: "resume=/dev/vda")
        }
        let resumed = try lab.run(c)
        try expectNoFailure(resumed)
        guard let trigger = time("trigger", saved), let running = time("running", resumed) else {
            throw Machine.Failed(description: "the guest did not come back; the consoles are in \(lab.folder.path)")
        }
        return Sample(save: saved.seconds - trigger, resume: running, stored: Double(stored))
    }

    /// A disk with the image that Torpor makes of such a guest.
    func image(_ contents: Contents, mebibytes memory: Int) throws -> URL {
        let disk = try lab.disk("image", UInt64(memory) << 20)
        var a = try lab.kernelA("image", disks: [disk, text], script(.torpor, contents.mebibytes(of: memory)))
        a.memory = "\(memory)M"
        try expectNoFailure(try lab.run(a))
        return disk
    }

    private func script(_ hibernator: Hibernator, _ size: (random: Int, text: Int)) -> String {
        let fill = """
            dd if=/dev/urandom of=/tmp/random bs=1M count=\(size.random) 2>/dev/null
            for i in $(seq \((size.text + Self.textMebibytes - 1) / Self.textMebibytes)); do
                echo $i >/tmp/text.$i
                dd if=/dev/vdb bs=1M iflag=direct 2>/dev/null >>/tmp/text.$i
            done

            """
        switch hibernator {
        case .torpor:
            return fill + """
                expect format torpor format /dev/vda
                say trigger
                hibernate >/tmp/report || fail "torpor hibernate"
                say running
                """
        case .kernelLZO, .kernelLZ4:
            return fill + """
                mkswap /dev/vda >/dev/null 2>&1
                swapon /dev/vda
                echo shutdown >/sys/power/disk
                # The image may take what it needs.
                echo $(($(awk '/MemTotal/ { print $2 }' /proc/meminfo) * 1024)) >/sys/power/image_size
                say trigger
                echo disk >/sys/power/state || fail "hibernation"
                say running
                """
        }
    }

    private func expectNoFailure(_ result: Machine.Result) throws {
        if let failure = result.verdicts("FAILED").first { throw Machine.Failed(description: failure) }
    }

    private func time(_ word: String, _ result: Machine.Result) -> Double? {
        zip(result.verdict, result.verdictTimes).first { $0.0 == word }?.1
    }

    private func allocatedBytes(_ file: URL) throws -> Int {
        let text = try Tool.run("/usr/bin/stat", "-c", "%b", file.path)
        return (Int(text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0) * 512
    }
}
