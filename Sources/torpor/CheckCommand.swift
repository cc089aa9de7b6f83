// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import Hibernation

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Tell whether this system can hibernate; nothing is changed.")

    @OptionGroup var kernelB: KernelBOptions
    @OptionGroup var output: OutputOptions

    private struct Answer: Encodable {
        let canHibernate: Bool
        let device: String?
        let reason: String?
        /// What the command line of kernel C needs; nil if this system cannot hibernate.
        let kernelCParameters: [String]?
        /// What does not keep this system from hibernating: warnings, and facts worth knowing.
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

    func run() throws {
        var findings = Findings()
        let path: String
        let parameters: [String]
        do throws(Failure) { (path, parameters) = try kernelB.plan().check(&findings, tell) } catch {
            if output.json {
                try print(json: Answer(device: nil, reason: sentence(error), kernelCParameters: nil, findings))
            } else {
                show(findings)
            }
            throw error
        }
        if output.json {
            try print(json: Answer(device: path, reason: nil, kernelCParameters: parameters, findings))
        } else {
            torpor.show("this system can hibernate to \(path)")
            torpor.show("kernel C's command line needs: \(parameters.joined(separator: " "))")
            show(findings)
        }
    }

    private func tell(_ line: String) { if !output.json { torpor.show(line) } }

    private func show(_ findings: Findings) {
        for finding in findings.all { torpor.show("\(finding.severity.rawValue): \(finding)") }
    }
}
