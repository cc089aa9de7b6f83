// SPDX-License-Identifier: Apache-2.0
import Linux

/// The command line of a boot entry that starts kernel C directly inside the backup range.
public struct BootEntryCommandLine: Sendable {
    /// In the order of the command line, without quotes.
    public let parameters: [String]

    /// - Parameters:
    ///   - parametersForC: the parameters that `Hibernate.check` returns.
    ///   - own: kernel A's command line, the source of the consoles and of the parameters for the machine's hardware.
    ///   - additional: the administrator's parameters; they come last.
    public init(parametersForC: [String], own: KernelCommandLine, additional: KernelCommandLine) {
        // tsx= is among `parametersForC`.
        let hardware = HardwareParameters.passedOn(own).filter { !$0.utf8.starts(with: "tsx=".utf8) }
        var parameters = KernelCommandLine((hardware + parametersForC).joined(separator: " ")).parameters
        // If kernel C panics, the machine restarts, and the next start is an ordinary one.
        parameters.append("panic=10")
        if !additional.contains(.debug) { parameters.append("quiet") }
        // Without an image, too, the next start is an ordinary one.
        if additional.value(.fallback) == nil { parameters.append(Parameter.fallback.with(Fallback.reboot.rawValue)) }
        self.parameters = parameters + additional.parameters
    }

    /// As a boot loader passes it to the kernel: values with white space are in quotes.
    public var text: String { parameters.map { HardwareParameters.quoted($0) }.joined(separator: " ") }

    /// Whether the command line of an installed entry does for kernel C what `parametersForC` asks for.
    /// - Parameter entry: the parameters of the entry.
    public static func covers(_ entry: [String], _ parametersForC: [String]) -> Bool {
        // Kernel C refuses the image if one of these has another value, or if the entry has one too many.
        let chosen = ["mem", "nr_cpus", "no5lvl", "tsx", Parameter.device.rawValue]
        let line = KernelCommandLine(entry.map { HardwareParameters.quoted($0) }.joined(separator: " "))
        let wanted = KernelCommandLine(parametersForC.joined(separator: " "))
        return wanted.parameters.allSatisfy { line.contains($0) }
            && chosen.allSatisfy { line.value($0) == wanted.value($0) && line.contains($0) == wanted.contains($0) }
    }
}
