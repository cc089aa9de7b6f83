// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import Hibernation

struct CheckCommand: TorporSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Check whether this system can hibernate; nothing is changed.")

    @OptionGroup var estimation: EstimateOptions
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
        /// What a hibernation would take; nil if nobody asked, or if it could not be estimated.
        let estimate: EstimateOutput?

        init(
            device: String?, reason: String?, kernelCParameters: [String]?, _ findings: Findings,
            estimate: EstimateOutput? = nil
        ) {
            self.estimate = estimate
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
        var estimate: EstimateOutput?
        do throws(Failure) {
            (path, parameters) = try environment.hibernation.check(kernelB.plan(environment), &findings) { line in
                if !output.json { terminal.show(line) }
            }
            if estimation.estimate { estimate = try self.estimate(environment, &findings) }
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
            try terminal.write(
                json: Answer(
                    device: path, reason: nil, kernelCParameters: parameters, findings, estimate: estimate))
        } else {
            terminal.show("this system can hibernate to \(path)")
            terminal.show("kernel C needs these parameters: \(parameters.joined(separator: " "))")
            for line in estimate?.lines(output.size) ?? [] { terminal.show(line) }
            show(findings, terminal)
        }
        if let deadline = estimation.deadline { try estimate?.require(deadline: deadline) }
    }

    private func estimate(
        _ environment: CommandEnvironment, _ findings: inout Findings
    ) throws(Failure) -> EstimateOutput {
        EstimateOutput(
            try environment.hibernation.estimate(kernelB.plan(environment), &findings, isDiskRequired: true),
            overheadMilliseconds: environment.reports.kept()?.overheadMilliseconds)
    }

    private func show(_ findings: Findings, _ terminal: Terminal) {
        for finding in findings.all { terminal.show("\(finding.severity.rawValue): \(finding)") }
    }
}
