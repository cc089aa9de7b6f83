// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import Hibernation

struct CheckCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "List everything that a hibernation needs; nothing is changed.",
        discussion: """
            The exit status is 0 if this system can hibernate, with warnings or without, and 1 if something is missing.
            """)

    static let configurationKeys = KernelBOptions.configurationKeys + ["direct-start"]

    @Flag(
        inversion: .prefixedNo, exclusivity: .chooseLast,
        help: "Check for torpor hibernate --direct-start as well.")
    var directStart = false

    @OptionGroup var estimation: EstimateOptions
    @OptionGroup var kernelB: KernelBOptions
    @OptionGroup var output: OutputOptions

    private struct Answer: Encodable {
        let canHibernate: Bool
        let device: String?
        let reason: String?
        /// The parameters that kernel C needs on its command line; nil if this system cannot hibernate.
        let kernelCParameters: [String]?
        let requirements: [RequirementOutput]
        /// What does not prevent hibernation: warnings, and facts worth knowing.
        let warnings, notes: [String]
        /// What a hibernation would take; nil if nobody asked, or if it could not be estimated.
        let estimate: EstimateOutput?
    }

    func run(_ environment: CommandEnvironment) throws {
        let terminal = environment.terminal
        let plan = kernelB.plan(environment)
        var survey = environment.hibernation.survey(plan) { line in
            if !output.json { terminal.show(line) }
        }
        SystemChecks(environment: environment, plan: plan, wantsDirectStart: directStart).add(to: &survey.list)
        let estimate = estimate(plan, &survey.list, environment)
        let findings = survey.list.findings
        let requirements = survey.list.requirements.map { RequirementOutput($0, environment) }
        let failure = survey.list.failure
        if output.json {
            try terminal.write(
                json: Answer(
                    canHibernate: failure == nil, device: failure == nil ? survey.path : nil,
                    reason: failure.map(environment.sentence),
                    kernelCParameters: failure == nil ? survey.parametersForC : nil, requirements: requirements,
                    warnings: findings.warnings.map { $0.description }, notes: findings.notes.map { $0.description },
                    estimate: estimate))
        } else {
            for line in requirements.flatMap({ $0.lines }) { terminal.show(line) }
            for note in findings.notes { terminal.show("note: \(note)") }
            for line in estimate?.lines(output.size) ?? [] { terminal.show(line) }
            if failure == nil, let path = survey.path { terminal.show("this system can hibernate to \(path)") }
        }
        if let failure { throw failure }
        if let deadline = estimation.deadline { try estimate?.require(deadline: deadline) }
    }

    /// What a hibernation would take, if somebody asked and nothing is missing.
    private func estimate(
        _ plan: Hibernate, _ list: inout Checklist, _ environment: CommandEnvironment
    ) -> EstimateOutput? {
        guard estimation.estimate, list.failure == nil else { return nil }
        return list.check("estimate") { (findings) throws(Failure) in
            let estimate = EstimateOutput(
                try environment.hibernation.estimate(plan, &findings, isDiskRequired: true),
                overheadMilliseconds: environment.reports.kept()?.overheadMilliseconds)
            return (estimate, "see below")
        }
    }
}
