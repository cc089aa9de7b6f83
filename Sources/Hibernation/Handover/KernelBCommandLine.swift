// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux
import MemoryImage

extension Hibernate {
    /// Kernel B's command line.
    /// - Parameters:
    ///   - own: kernel A's command line.
    ///   - backupEnd: N: kernel B must not take memory above it that ACPI describes as a device.
    ///   - processors: how many CPUs kernel B may start; nil for all.
    ///   - needsFourLevels: whether it would run with 5-level page tables otherwise, and kernel A does not.
    ///   - watchdogs: the parameter that hands over the watchdogs that kernel A has armed.
    func kernelBParameters(
        _ own: KernelCommandLine, _ device: DeviceName, _ session: UUID, _ report: Report.Place, backupEnd: UInt64,
        processors: Int?, needsFourLevels: Bool, watchdogs: String? = nil
    ) -> String {
        var words = [
            "torpor.session=\(session.description)", "torpor.device=\(device.description)",
            "torpor.report=\(report.description)",
            "torpor.after=\(after.rawValue)", "torpor.codec=\(codec.description)", "printk.devkmsg=on",
            // A kernel B that dies restarts the machine; without this it would stand still.
            "panic=10", "mem=\(backupEnd >> 20)M", "acpi_no_memhotplug",
        ]
        if let processors { words.append("nr_cpus=\(processors)") }
        if needsFourLevels { words.append("no5lvl") }
        if let watchdogs { words.append(watchdogs) }
        words += HardwareParameters.passedOn(own)
        // Behind kernel A's: of some parameters the last one counts.
        words += MemoryTakers.parametersForB
        // What the kernel itself has to say takes a serial console most of a second; /init is seen all the same.
        if !KernelCommandLine(extraWords).contains("torpor.debug") { words.append("quiet") }
        if !extraWords.isEmpty { words.append(extraWords) }
        return words.joined(separator: " ")
    }
}
