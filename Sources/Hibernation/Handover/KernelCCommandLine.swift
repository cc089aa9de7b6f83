// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The parameters that kernel C's command line needs, as `torpor check` prints them for the boot loader's configuration.
struct KernelCCommandLine {
    /// The hibernation partition; named, it is waited for, and no other one is taken for it.
    let partition: UUID
    /// N, in bytes.
    let backupEnd: UInt64
    /// How many CPUs kernel C may start; nil for all.
    var processors: Int?
    /// Whether kernel C would run with 5-level page tables otherwise, and kernel A does not.
    var needsFourLevels = false
    /// Parameters that keep drivers from taking kernel C's memory.
    var memoryParameters: [String] = []
    /// Kernel A's command line.
    var own = KernelCommandLine("")

    var words: [String] {
        var words = [Parameter.device.word("UUID=\(partition)"), "mem=\(backupEnd >> 20)M"]
        if let processors { words.append("nr_cpus=\(processors)") }
        if needsFourLevels { words.append("no5lvl") }
        words += memoryParameters
        // It decides which features CPUID reports (6.12, arch/x86/kernel/cpu/tsx.c), and kernel C compares them.
        if let value = own.value("tsx") { words.append("tsx=\(value)") }
        return words
    }
}
