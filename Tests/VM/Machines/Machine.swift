// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The description of a QEMU machine. A machine test runs a few machines, one after the other.
public struct Machine {
    public enum Firmware: Sendable { case bios, uefi }
    public enum Bus: Sendable { case virtio, ahci, nvme }
    /// Where the first kernel comes from.
    public enum Boot: Sendable {
        /// QEMU loads it, with `initrd` and `commandLine`.
        case kernel
        /// The firmware starts a boot loader from the first disk, a `BootDisk`. It has the kernels, initrds and command lines.
        case disk
    }

    /// A disk image and its bus; the first virtio disk is /dev/vda.
    public struct Disk {
        public var image: URL
        public var bus: Bus
        /// Errors of the disk, as rules of QEMU's blkdebug driver (docs/devel/blkdebug.rst).
        public var errors = ""
        /// Limit of the write speed, in bytes per second; 0 for no limit.
        public var bytesPerSecond = 0
        /// The same for the read speed.
        public var readBytesPerSecond = 0
        /// The file that records all writes to the disk, for a `WriteLog`.
        public var log: URL?

        public init(image: URL, bus: Bus = .virtio) {
            self.image = image
            self.bus = bus
        }
    }

    /// The name of the machine and its logs.
    public var name: String
    public var memory = "1G"
    /// Whether the memory may be larger than this machine's, as long as the guest uses little of it.
    public var isMemorySparse = false
    public var cpus = 2
    /// Whether one thread emulates all CPUs. A kernel with CONFIG_JUMP_LABEL patches its code while other CPUs run it, and with
    /// a thread for each CPU the emulator lets it crash now and then.
    public var isSingleThreaded = false
    /// Features of QEMU's CPU model `max`, such as `la57=off`.
    public var cpuFeatures = ""
    public var firmware = Firmware.bios
    public var disks: [Disk] = []
    /// More QEMU devices.
    public var devices: [String] = []
    /// More QEMU options, before the devices.
    public var options: [String] = []
    /// The whole value of QEMU's `-smp`, such as `2,maxcpus=240`; nil for `cpus`.
    public var smp: String?
    public var boots = Boot.kernel
    public var kernel = Products.kernel
    public var initrd: URL
    /// The kernel's command line, after the parameters of every machine.
    public var commandLine = ""
    /// Seconds after which the machine is killed and the test fails.
    public var timeout = 300.0
    /// Console texts that mean a failure of a kernel. A test that provokes one removes it.
    public var alarms = [
        "Kernel panic", "Oops", "BUG:", "Attempted to kill init", "general protection fault", "WARNING: CPU",
    ]

    /// A file that fills memory from 256 MiB on when the machine starts, because memory is not zero after a real power-on.
    public var dirtyMemory: URL?
    /// Shows the console on the terminal as well.
    public var showsConsole = false
    /// The file for the guest's memory, as an ELF core. QEMU writes it and ends when the guest says `dump`.
    public var dump: URL?
    /// Takes samples of the program counters, some hundred times a second, between two texts on the console.
    public var sampling: Sampling?
    /// Commands for QEMU's monitor when the machine starts.
    public var monitorCommands: [String] = []
    /// Texts to type on the console, each when its question appears.
    public var answers: [(question: String, text: String)] = []
    /// Commands for QEMU's monitor, such as keys of the keyboard, when a text appears on the console. Each waits for the one
    /// before it, and looks for its text behind that one's.
    public var monitorAnswers: [(question: String, commands: [String])] = []
    /// The moment of a power cut: seconds after a verdict line or, if that is nil, after power-on.
    public var powerCut: (line: String?, seconds: Double)?

    public init(name: String, disks: [Disk], initrd: URL) {
        self.name = name
        self.disks = disks
        self.initrd = initrd
    }

    /// Samples of the machine's program counters, from the first console text until the second.
    public struct Sampling {
        public var from: String
        public var to: String
        /// Receives the virtual address of each CPU's next instruction; nil for a halted CPU.
        public var take: ([UInt64?]) -> Void

        public init(from: String, to: String, take: @escaping ([UInt64?]) -> Void) {
            self.from = from
            self.to = to
            self.take = take
        }
    }

    /// The result of a machine's run.
    public struct Result {
        /// The serial console, of all kernels in the run.
        public var console: String
        /// The lines that the guest wrote to its second serial port.
        public var verdict: [String]
        /// The time of each of those lines, in seconds from power-on.
        public var verdictTimes: [Double]
        /// Seconds from power-on to power-off.
        public var seconds: Double
        /// Whether the power was cut before the machine powered off.
        public var isCut: Bool

        /// The verdict lines that begin with a word, without that word.
        public func verdicts(_ word: String) -> [String] {
            verdict.filter { $0.hasPrefix(word + " ") }.map { String($0.dropFirst(word.count + 1)) }
        }
    }

    public struct Failed: Error, CustomStringConvertible {
        public var description: String
        public init(description: String) { self.description = description }
    }

    /// Runs the machine until it powers off.
    /// - Throws: if it does not power off in time, if QEMU fails, or if the console has an alarm.
    public func run(in folder: URL) throws -> Result {
        let console = folder.appending(path: "\(name).console.log")
        let verdict = folder.appending(path: "\(name).verdict")
        for file in [console, verdict] { try Data().write(to: file) }
        let qemu = Process()
        qemu.executableURL = URL(filePath: "/usr/bin/qemu-system-x86_64")
        qemu.arguments = try arguments(console: console, verdict: verdict, in: folder)
        let errors = folder.appending(path: "\(name).qemu.log")
        try Data().write(to: errors)
        qemu.standardError = try FileHandle(forWritingTo: errors)
        let monitor = Pipe(), answers = Pipe()
        let answerLog = folder.appending(path: "\(name).monitor.log")
        if sampling != nil {
            qemu.standardOutput = answers
        } else if hasMonitor {
            try Data().write(to: answerLog)
            qemu.standardOutput = try FileHandle(forWritingTo: answerLog)
        }
        qemu.standardInput = hasMonitor ? monitor.fileHandleForReading : FileHandle.nullDevice
        var isDumped = dump == nil
        let start = Date()
        let keyboard = try self.answers.isEmpty ? nil : Keyboard(self.answers, folder.appending(path: name))
        try qemu.run()
        for command in monitorCommands {
            try monitor.fileHandleForWriting.write(contentsOf: Data("\(command)\n".utf8))
        }
        var times: [Double] = []
        var isCut = false
        var monitorAnswers = self.monitorAnswers[...], consoleOffset = 0
        while qemu.isRunning, Date().timeIntervalSince(start) < timeout {
            Thread.sleep(forTimeInterval: sampling != nil ? 0.002 : powerCut == nil ? 0.05 : 0.005)
            let now = Date().timeIntervalSince(start)
            let lines = try lines(of: verdict)
            while times.count < lines.count { times.append(now) }
            if let powerCut {
                let from = powerCut.line.map { line in lines.firstIndex { $0 == line }.map { times[$0] } } ?? 0
                if let from, now >= from + powerCut.seconds, qemu.isRunning {
                    isCut = true
                    kill(qemu.processIdentifier, SIGKILL)
                    break
                }
            }
            if let sampling {
                let text = String(decoding: try Data(contentsOf: console), as: UTF8.self)
                if text.contains(sampling.from), !text.contains(sampling.to) {
                    sampling.take(
                        try Self.programCounters(
                            monitor.fileHandleForWriting, answers.fileHandleForReading,
                            until: start.addingTimeInterval(timeout)))
                }
            }
            try keyboard?.type(at: console)
            if let next = monitorAnswers.first,
                let place = try Data(contentsOf: console).dropFirst(consoleOffset).range(of: Data(next.question.utf8))
            {
                for command in next.commands {
                    try monitor.fileHandleForWriting.write(contentsOf: Data("\(command)\n".utf8))
                }
                consoleOffset = place.upperBound
                monitorAnswers.removeFirst()
            }
            if !isDumped, let dump, lines.contains("dump") {
                try monitor.fileHandleForWriting.write(contentsOf: Data("dump-guest-memory \(dump.path)\nquit\n".utf8))
                isDumped = true
            }
        }
        let seconds = Date().timeIntervalSince(start)
        let isLate = !isCut && qemu.isRunning
        if isLate {
            if hasMonitor, sampling == nil { try askWhereItHangs(monitor.fileHandleForWriting, answerLog) }
            kill(qemu.processIdentifier, SIGKILL)
        }
        qemu.waitUntilExit()
        let text = try text(of: console)
        if isLate {
            throw failure(
                "it did not power off within \(Int(timeout)) s (its registers: \(answerLog.path))", console, text)
        }
        guard isCut || qemu.terminationStatus == 0 else {
            let reason = String(decoding: try Data(contentsOf: errors), as: UTF8.self)
            throw failure("QEMU ended with status \(qemu.terminationStatus): \(reason)", console, text)
        }
        for alarm in alarms where text.contains(alarm) { throw failure("its console has: \(alarm)", console, text) }
        let lines = try lines(of: verdict)
        while times.count < lines.count { times.append(seconds) }
        return Result(console: text, verdict: lines, verdictTimes: times, seconds: seconds, isCut: isCut)
    }

    /// The output of a serial port, without carriage returns.
    private func text(of port: URL) throws -> String {
        String(decoding: try Data(contentsOf: port).filter { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
    }

    /// The complete lines of that output.
    private func lines(of port: URL) throws -> [String] {
        let text = try text(of: port)
        guard let end = text.lastIndex(of: "\n") else { return [] }
        return text[..<end].split(separator: "\n").map(String.init)
    }

    private func failure(_ reason: String, _ console: URL, _ text: String) -> Failed {
        let tail = text.split(separator: "\n").suffix(40).joined(separator: "\n")
        return Failed(description: "machine \(name): \(reason); the console is \(console.path):\n\(tail)")
    }
}
