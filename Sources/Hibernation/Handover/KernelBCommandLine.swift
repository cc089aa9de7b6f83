// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux
import MemoryImage

/// Kernel B's command line, as kernel A writes it. Kernel B reads its share of it with `KernelParameters`; the rest is for the
/// kernel itself.
struct KernelBCommandLine {
    let device: DeviceName
    let session: UUID
    let report: Report.Place
    var after = AfterSave.powerOff
    var codec = Codec.standard
    /// The watchdogs that kernel A has armed.
    var watchdogs: [WatchdogHandover] = []
    /// N, in bytes: kernel B must not take memory above it that ACPI describes as a device.
    let backupEnd: UInt64
    /// How many CPUs kernel B may start; nil for all.
    var processors: Int?
    /// Whether kernel B would run with 5-level page tables otherwise, and kernel A does not.
    var needsFourLevels = false
    /// Kernel A's command line: parameters that the machine's hardware needs are taken from it.
    var own = KernelCommandLine("")
    /// Parameters that keep drivers from taking kernel B's memory.
    var memoryParameters: [String] = []
    /// More parameters, from the administrator; they come last.
    var additional = ""

    var text: String {
        var words = [
            Parameter.session.word(session), Parameter.device.word(device), Parameter.report.word(report),
            Parameter.after.word(after.rawValue), Parameter.codec.word(codec), "printk.devkmsg=on",
            // A kernel B that dies restarts the machine; without this it would stand still.
            "panic=10", "mem=\(backupEnd >> 20)M", "acpi_no_memhotplug",
        ]
        if let processors { words.append("nr_cpus=\(processors)") }
        if needsFourLevels { words.append("no5lvl") }
        if !watchdogs.isEmpty {
            words.append(Parameter.watchdog.word(watchdogs.map { $0.description }.joined(separator: ",")))
        }
        words += HardwareParameters.passedOn(own)
        // Behind kernel A's: of some parameters the last one counts.
        words += memoryParameters
        // The kernel's own messages take a serial console most of a second; those of /init appear all the same.
        if !KernelCommandLine(additional).contains(Parameter.debug.rawValue) { words.append("quiet") }
        if !additional.isEmpty { words.append(additional) }
        return words.joined(separator: " ")
    }
}
