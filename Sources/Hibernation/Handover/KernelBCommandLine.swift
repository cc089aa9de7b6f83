// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Linux
import MemoryImage

/// Kernel B's command line, as kernel A writes it. /init reads its parameters with `KernelParameters`; the others are for the
/// kernel itself.
struct KernelBCommandLine {
    let device: DeviceName
    let session: UUID
    let report: Report.Place
    var after = AfterSave.powerOff
    var codec = Codec.standard
    /// Whether kernel B writes nothing and jumps back.
    var isRehearsal = false
    /// The watchdogs that kernel A has armed.
    var watchdogs: [WatchdogHandover] = []
    /// N, in bytes. Kernel B must not use memory above it, nor memory devices that ACPI describes.
    let backupEnd: UInt64
    /// The number of CPUs that kernel B may start; nil for all.
    var processors: Int?
    /// Whether kernel B needs `no5lvl`: by default it would run with 5-level page tables, but kernel A does not.
    var needsFourLevels = false
    /// Kernel A's command line, the source of the parameters for the machine's hardware.
    var own = KernelCommandLine("")
    /// Parameters that keep drivers from taking kernel B's memory.
    var memoryParameters: [String] = []
    /// More parameters, from the administrator; they come last.
    var additional = ""

    var text: String {
        var parameters = [
            Parameter.session.with(session), Parameter.device.with(device), Parameter.report.with(report),
            Parameter.after.with(after.rawValue), Parameter.codec.with(codec), "printk.devkmsg=on",
            // If kernel B panics, the machine restarts; by default it would halt.
            "panic=10", "mem=\(backupEnd >> 20)M", "acpi_no_memhotplug",
        ]
        if isRehearsal { parameters.append(Parameter.rehearse.rawValue) }
        if let processors { parameters.append("nr_cpus=\(processors)") }
        if needsFourLevels { parameters.append("no5lvl") }
        if !watchdogs.isEmpty {
            parameters.append(Parameter.watchdog.with(watchdogs.map { $0.description }.joined(separator: ",")))
        }
        parameters += HardwareParameters.passedOn(own)
        // After kernel A's, because the last value of a parameter counts.
        parameters += memoryParameters
        // A serial console needs most of a second for the kernel's own messages; those of /init appear in spite of `quiet`.
        if !KernelCommandLine(additional).contains(Parameter.debug.rawValue) { parameters.append("quiet") }
        if !additional.isEmpty { parameters.append(additional) }
        return parameters.joined(separator: " ")
    }
}
