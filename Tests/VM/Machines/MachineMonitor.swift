// SPDX-License-Identifier: Apache-2.0
import Foundation

/// QEMU's monitor, which a machine has on its standard input and output.
extension Machine {
    /// Whether the machine has a monitor: the demo shows the console in its place.
    var hasMonitor: Bool { !showsConsole }

    /// Asks for the registers of all CPUs.
    /// - Returns: the virtual address of each CPU's next instruction, nil for a halted CPU; an empty array if QEMU has ended or
    ///   does not answer in time.
    static func programCounters(
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

    /// Lets QEMU write to the monitor's log what tells where a machine hangs: registers, interrupt controllers, disks.
    func askWhereItHangs(_ monitor: FileHandle, _ log: URL) throws {
        let commands = ["info registers -a", "info lapic", "info pic", "info blockstats", "info status"]
        try monitor.write(contentsOf: Data(commands.map { "\($0)\n" }.joined().utf8))
        let end = Date(timeIntervalSinceNow: 10)
        while try !Data(contentsOf: log).contains(Data("VM status".utf8)), end.timeIntervalSinceNow > 0 {
            Thread.sleep(forTimeInterval: 0.05)
        }
    }
}

extension Data {
    fileprivate func contains(_ other: Data) -> Bool { range(of: other) != nil }
}
