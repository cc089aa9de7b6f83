// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import Hibernation

struct CheckCommand: TorporSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check whether this system can hibernate; nothing is changed.")

    @OptionGroup var kernelB: KernelBOptions
    @OptionGroup var output: OutputOptions

    private struct Answer: Encodable {
        let canHibernate: Bool
        let device: String?
        let reason: String?
        /// The parameters that kernel C needs on its command line; nil if this system cannot hibernate.
        let kernelCParameters: [String]?
        /// What does not prevent hibernation: warnings, and facts worth knowing.
        let warnings, notes: [String]

        init(device: String?, reason: String?, kernelCParameters: [String]?, _ findings: Findings) {
            canHibernate = reason == nil
            self.device = device
            self.kernelCParameters = kernelCParameters
            self.reason = reason
            warnings = findings.warnings.map { $0.description }
            notes = findings.notes.map { $0.description }
        }
    }

    func run(_ environment: CommandEnvironment) throws {
        let terminal = environment.terminal
        var findings = Findings()
        let path: String
        let parameters: [String]
        do throws(Failure) {
            (path, parameters) = try environment.hibernation.check(kernelB.plan(environment), &findings) { line in
                if !output.json { terminal.show(line) }
            }
        } catch {
            if output.json {
                let reason = environment.sentence(error)
                try terminal.write(json: Answer(device: nil, reason: reason, kernelCParameters: nil, findings))
            } else {
                show(findings, terminal)
            }
            throw error
        }
        if output.json {
            try terminal.write(json: Answer(device: path, reason: nil, kernelCParameters: parameters, findings))
        } else {
            terminal.show("this system can hibernate to \(path)")
            terminal.show("kernel C needs these parameters: \(parameters.joined(separator: " "))")
            show(findings, terminal)
        }
    }

    private func show(_ findings: Findings, _ terminal: Terminal) {
        for finding in findings.all { terminal.show("\(finding.severity.rawValue): \(finding)") }
    }
}
