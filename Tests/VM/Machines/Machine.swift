// SPDX-License-Identifier: Apache-2.0
import Foundation

/// One QEMU machine: what is in it, and how long it may run. A machine test is a few of these, one after the other.
public struct Machine {
    public enum Firmware: Sendable { case bios, uefi }
    public enum Bus: Sendable { case virtio, ahci, nvme }

    /// A disk image, and how it is attached; the first virtio disk is /dev/vda.
    public struct Disk {
        public var image: URL
        public var bus: Bus
        /// Errors that the disk answers with, as rules of QEMU's blkdebug driver (docs/devel/blkdebug.rst).
        public var errors = ""
        /// Bytes that the disk writes in a second at most; 0 for no limit.
        public var bytesPerSecond = 0
        /// Where all that is written to the disk is recorded, for a `WriteLog`.
        public var log: URL?

        public init(image: URL, bus: Bus = .virtio) {
            self.image = image
            self.bus = bus
        }
    }

    /// Names the machine's logs.
    public var name: String
    public var memory = "1G"
    /// Whether the memory may be more than this machine has, as long as little of it is used.
    public var isMemorySparse = false
    public var cpus = 2
    /// Features of QEMU's CPU model `max`, such as `la57=off`.
    public var cpuFeatures = ""
    public var firmware = Firmware.bios
    public var disks: [Disk] = []
    /// More of QEMU's devices.
    public var devices: [String] = []
    /// More of QEMU's options, in front of the devices.
    public var options: [String] = []
    /// QEMU's `-smp` in full, such as `2,maxcpus=240`; `cpus` alone otherwise.
    public var smp: String?
    public var kernel = Products.kernel
    public var initrd: URL
    /// The kernel's command line, behind what every machine has.
    public var commandLine = ""
    /// Seconds after which the machine is ended, and the test with it.
    public var timeout = 300.0
    /// Words that mean a kernel's failure; a test that provokes one takes it out.
    public var alarms = [
        "Kernel panic", "Oops", "BUG:", "Attempted to kill init", "general protection fault", "WARNING: CPU",
    ]

    /// A file that fills memory from 256 MiB on when the machine starts: memory is not zero after a real power-on.
    public var dirtyMemory: URL?
    /// Shows the console on the terminal as well.
    public var showsConsole = false
    /// Where the guest's memory is written, as an ELF core, when the guest says `dump`; the machine ends then.
    public var dump: URL?
    /// Is told where the CPUs are, some hundred times a second, while the console says one thing and not yet the other.
    public var sampling: Sampling?
    /// Commands for QEMU's monitor, given when the machine starts.
    public var monitorCommands: [String] = []
    /// What a person types on the console, each when the console says a text.
    public var answers: [(question: String, text: String)] = []
    /// When the power is cut: so many seconds after the guest has said a line or, without one, after power-on.
    public var powerCut: (line: String?, seconds: Double)?

    public init(name: String, disks: [Disk], initrd: URL) {
        self.name = name
        self.disks = disks
        self.initrd = initrd
    }

    /// Takes samples of the machine's program counters.
    public struct Sampling {
        public var from: String
        public var to: String
        /// Takes the virtual address of the next instruction of each CPU; nil for one that is halted.
        public var take: ([UInt64?]) -> Void

        public init(from: String, to: String, take: @escaping ([UInt64?]) -> Void) {
            self.from = from
            self.to = to
            self.take = take
        }
    }

    /// What a machine's run left.
    public struct Result {
        /// The serial console, of all kernels that ran.
        public var console: String
        /// The lines that the guest wrote to its second serial port.
        public var verdict: [String]
        /// When each of those lines was seen, in seconds from power-on.
        public var verdictTimes: [Double]
        /// Seconds from power-on to power-off.
        public var seconds: Double
        /// Whether the power was cut before the machine powered off.
        public var isCut: Bool

        /// Lines that begin with a word, without it.
        public func verdicts(_ word: String) -> [String] {
            verdict.filter { $0.hasPrefix(word + " ") }.map { String($0.dropFirst(word.count + 1)) }
        }
    }

    public struct Failed: Error, CustomStringConvertible {
        public var description: String
        public init(description: String) { self.description = description }
    }

    /// Runs the machine until it powers off.
    /// - Throws: where it does not in time, where QEMU fails, and where the console has an alarm.
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
        if sampling != nil {
            qemu.standardOutput = answers
        } else if !showsConsole {
            qemu.standardOutput = FileHandle.nullDevice
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
            if !isDumped, let dump, lines.contains("dump") {
                try monitor.fileHandleForWriting.write(contentsOf: Data("dump-guest-memory \(dump.path)\nquit\n".utf8))
                isDumped = true
            }
        }
        let seconds = Date().timeIntervalSince(start)
        let isLate = !isCut && qemu.isRunning
        if isLate { kill(qemu.processIdentifier, SIGKILL) }
        qemu.waitUntilExit()
        let text = try text(of: console)
        if isLate { throw failure("it did not power off within \(Int(timeout)) s", console, text) }
        guard isCut || qemu.terminationStatus == 0 else {
            let reason = String(decoding: try Data(contentsOf: errors), as: UTF8.self)
            throw failure("QEMU ended with status \(qemu.terminationStatus): \(reason)", console, text)
        }
        for alarm in alarms where text.contains(alarm) { throw failure("its console says: \(alarm)", console, text) }
        let lines = try lines(of: verdict)
        while times.count < lines.count { times.append(seconds) }
        return Result(console: text, verdict: lines, verdictTimes: times, seconds: seconds, isCut: isCut)
    }

    /// What went out of a serial port, without a terminal's carriage returns.
    private func text(of port: URL) throws -> String {
        String(decoding: try Data(contentsOf: port).filter { $0 != UInt8(ascii: "\r") }, as: UTF8.self)
    }

    /// The whole lines of that.
    private func lines(of port: URL) throws -> [String] {
        let text = try text(of: port)
        guard let end = text.lastIndex(of: "\n") else { return [] }
        return text[..<end].split(separator: "\n").map(String.init)
    }

    private func consoleDevice(in folder: URL) -> String {
        if !answers.isEmpty { return "pipe,path=\(folder.appending(path: name).path)" }
        return showsConsole ? "stdio,signal=off" : "null"
    }

    private var hasMonitor: Bool { dump != nil || sampling != nil || !monitorCommands.isEmpty }

    /// Asks QEMU's monitor for the registers of all CPUs.
    /// - Returns: none where QEMU ended, or did not answer in time.
    private static func programCounters(
        _ monitor: FileHandle, _ answers: FileHandle, until end: Date
    ) throws -> [UInt64?] {
        try monitor.write(contentsOf: Data("info registers -a\n".utf8))
        var text = ""
        while !(text.contains("RIP=") && text.hasSuffix("(qemu) ")) {
            var answer = pollfd(fd: answers.fileDescriptor, events: Int16(POLLIN), revents: 0)
            if poll(&answer, 1, Int32(max(0, end.timeIntervalSinceNow * 1000))) == 0 { return [] }
            let data = answers.availableData
            if data.isEmpty { return [] }
            text += String(decoding: data, as: UTF8.self)
        }
        return text.matches(of: /RIP=([0-9a-f]+)[^\n]*HLT=([01])/).map { $0.2 == "1" ? nil : UInt64($0.1, radix: 16) }
    }

    private func failure(_ reason: String, _ console: URL, _ text: String) -> Failed {
        let tail = text.split(separator: "\n").suffix(40).joined(separator: "\n")
        return Failed(description: "machine \(name): \(reason); the console is \(console.path):\n\(tail)")
    }

    private func arguments(console: URL, verdict: URL, in folder: URL) throws -> [String] {
        var arguments = [
            "-accel", "tcg", "-cpu", cpuFeatures.isEmpty ? "max" : "max,\(cpuFeatures)", "-m", memory, "-smp",
            smp ?? "\(cpus)",
            "-machine", (firmware == .uefi ? "q35" : "pc") + (isMemorySparse ? ",memory-backend=ram" : ""),
            "-nodefaults", "-display", "none", "-no-reboot",
            "-chardev", consoleDevice(in: folder) + ",id=console,logfile=\(console.path)",
            "-serial", "chardev:console",
            // Not a PCI device: to set up an interrupt for one, each kernel that boots interprets AML, which takes it long.
            "-chardev", "file,id=verdict,path=\(verdict.path)", "-serial", "chardev:verdict",
            "-kernel", kernel.path, "-initrd", initrd.path,
            "-append", "console=ttyS0 panic=-1 \(commandLine)",
        ]
        if hasMonitor { arguments += ["-monitor", "stdio"] }
        if dump != nil { arguments += ["-device", "vmcoreinfo"] }
        if firmware == .uefi {
            let variables = folder.appending(path: "efi-variables.fd")
            if !FileManager.default.fileExists(atPath: variables.path) {
                try FileManager.default.copyItem(at: URL(filePath: "/usr/share/OVMF/OVMF_VARS_4M.fd"), to: variables)
            }
            arguments += [
                "-drive", "if=pflash,format=raw,readonly=on,file=/usr/share/OVMF/OVMF_CODE_4M.fd",
                "-drive", "if=pflash,format=raw,file=\(variables.path)",
            ]
        }
        if isMemorySparse { arguments += ["-object", "memory-backend-ram,id=ram,size=\(memory),reserve=off"] }
        arguments += options
        for device in devices { arguments += ["-device", device] }
        if let dirtyMemory {
            arguments += ["-device", "loader,file=\(dirtyMemory.path),addr=0x10000000,force-raw=on"]
        }
        if disks.contains(where: { $0.bus == .ahci }) && firmware == .bios { arguments += ["-device", "ahci,id=ahci"] }
        for (number, disk) in disks.enumerated() {
            var file = disk.image.path
            // The page cache of this machine outlives the guest's power-off, so nothing need wait for its disk; but only
            // a disk that is asked to flush can fail at it.
            var options = "cache=unsafe"
            if !disk.errors.isEmpty {
                let rules = folder.appending(path: "\(name).disk\(number).blkdebug")
                try Data(disk.errors.utf8).write(to: rules)
                file = "blkdebug:\(rules.path):\(file)"
                options = "cache=writeback,werror=report,rerror=report"
            }
            var drive = "format=raw,\(options),file=\(file)"
            if let log = disk.log {
                try Data().write(to: log)
                // Flushes are recorded only where they are asked for.
                drive = "driver=blklogwrites,cache=writeback,file.driver=file,file.filename=\(file)"
                drive += ",log.driver=file,log.filename=\(log.path),log-sector-size=512"
            }
            if disk.bytesPerSecond > 0 { drive += ",throttling.bps-write=\(disk.bytesPerSecond)" }
            arguments += ["-drive", "id=disk\(number),if=none,\(drive)"]
            switch disk.bus {
            case .virtio: arguments += ["-device", "virtio-blk-pci,drive=disk\(number)"]
            case .nvme: arguments += ["-device", "nvme,drive=disk\(number),serial=disk\(number)"]
            case .ahci:
                arguments += [
                    "-device", "ide-hd,drive=disk\(number),bus=\(firmware == .uefi ? "ide" : "ahci").\(number)",
                ]
            }
        }
        return arguments
    }
}

/// What the Makefile built before the machine tests.
public enum Products {
    private static let top = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../..")
        .standardizedFileURL
    public static let folder = top.appending(path: "build")
    public static let kernel = folder.appending(path: "bzImage")
    /// The kernel's symbol table; not there for a kernel that TORPOR_TEST_KERNEL names.
    public static let symbols = folder.appending(path: "System.map")
    /// A kernel of Debian's, without CONFIG_KEXEC_JUMP.
    public static let stockKernel = folder.appending(path: "vmlinuz-stock")
    public static let rootfs = folder.appending(path: "rootfs.gz")
    public static let initProgram = folder.appending(path: "init")
    /// The same with its symbols.
    public static let linkedInit = top.appending(path: ".build-init/release/init")
    public static let torpor = folder.appending(path: "torpor")
    /// A guest's program that fills memory and compares it.
    public static let pattern = folder.appending(path: "pattern")
    public static let mkinitramfs = top.appending(path: "mkinitramfs.sh")
}
