// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The parameters that kernel C's command line needs, as `torpor check` prints them for the boot loader's configuration.
struct KernelCCommandLine {
    /// The UUID of the hibernation partition. Kernel C waits for the named partition, and uses no other.
    let partition: UUID
    /// N, in bytes.
    let backupEnd: UInt64
    /// The number of CPUs that kernel C may start; nil for all.
    var processors: Int?
    /// Whether kernel C needs `no5lvl`: by default it would run with 5-level page tables, but kernel A does not.
    var needsFourLevels = false
    /// Parameters that keep drivers from taking kernel C's memory.
    var memoryParameters: [String] = []
    /// Kernel A's command line.
    var own = KernelCommandLine("")

    var parameters: [String] {
        var parameters = [Parameter.device.with("UUID=\(partition)"), "mem=\(backupEnd >> 20)M"]
        if let processors { parameters.append("nr_cpus=\(processors)") }
        if needsFourLevels { parameters.append("no5lvl") }
        parameters += memoryParameters
        // tsx= decides which features CPUID reports (6.12, arch/x86/kernel/cpu/tsx.c), and kernel C compares them.
        if let value = own.value("tsx") { parameters.append("tsx=\(value)") }
        return parameters
    }
}
