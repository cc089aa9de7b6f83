// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import Hibernation

struct HibernateCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "hibernate", abstract: "Save the memory to the hibernation partition and power off.")

    @Option(help: "What to do after the save: poweroff, reboot, or return, which keeps the image as a snapshot.")
    var after = AfterSave.powerOff

    @Flag(
        inversion: .prefixedNo, exclusivity: .chooseLast,
        help: "Select the boot entry that torpor boot-entry installed, for the next start only.")
    var directStart = false

    @Flag(help: "Do everything but writing the image, come back at once, and print what a hibernation would take.")
    var rehearse = false

    @OptionGroup var kernelB: KernelBOptions
    @OptionGroup var output: OutputOptions

    static let configurationKeys = KernelBOptions.configurationKeys + ["after", "direct-start"]

    /// A session that goes on starts nothing, and a rehearsal ends at once.
    var ignoredKeys: Set<String> {
        if rehearse { return ["after", "direct-start"] }
        return after == .return ? ["direct-start"] : []
    }

    func validate() throws {
        guard !directStart || after != .return else {
            throw ValidationError("--direct-start has no meaning with --after return, which starts nothing.")
        }
        guard !rehearse || !directStart && after == .powerOff else {
            throw ValidationError(
                "--rehearse comes back at once, so --after and --direct-start have no meaning with it.")
        }
    }

    func run(_ environment: CommandEnvironment) throws {
        let terminal = environment.terminal
        var findings = Findings { finding in
            if !output.json {
                terminal.write(error: "torpor: \(printable("\(finding.severity.rawValue): \(finding)"))")
            }
        }
        let (report, estimate) = try hibernate(environment, &findings)
        var answer = ReportOutput(report, findings, environment.now())
        answer.keepOverhead(of: report, environment.reports.kept())
        answer.estimate = estimate.map {
            EstimateOutput($0.corrected(by: report), overheadMilliseconds: answer.overheadMilliseconds)
        }
        environment.log(answer.logLine(output.size))
        environment.reports.keep(answer)
        // The result comes first, as erasing may take minutes.
        let failure = failure(report)
        if !output.json {
            if let failure { environment.show(failure) } else { terminal.show(answer.sentence(output.size)) }
        }
        // A rehearsal has written no image.
        if !rehearse { eraseImage(report, &answer, environment) }
        if report.outcome == .resumed { findCopies(report, &answer, environment) }
        environment.reports.keep(answer)
        if output.json {
            try terminal.write(json: answer)
            if let failure { environment.show(failure) }
        }
        if failure != nil { throw ExitCode(1) }
    }

    /// - Returns: the report, and the estimate of a rehearsal.
    private func hibernate(
        _ environment: CommandEnvironment, _ findings: inout Findings
    ) throws -> (Report, Estimate?) {
        let terminal = environment.terminal
        do throws(Failure) {
            var plan = kernelB.plan(environment, after: after)
            plan.isRehearsal = rehearse
            let estimate =
                try rehearse
                ? environment.hibernation.estimate(plan, &findings, isDiskRequired: false) : nil
            let hooks = try directStart ? jumpHooks(plan, environment) : JumpHooks()
            let report = try environment.hibernation.run(plan, &findings, hooks: hooks) { line in
                if !output.json { terminal.show(line) }
            }
            return (report, estimate)
        } catch {
            if output.json {
                let reason = environment.sentence(error)
                try terminal.write(json: ReportOutput(failure: reason, findings, environment.now()))
            }
            throw error
        }
    }

    /// Selects the boot entry for kernel C before the jump, and takes the selection back if nothing was started with it.
    private func jumpHooks(_ plan: Hibernate, _ environment: CommandEnvironment) throws(Failure) -> JumpHooks {
        let directStart = try DirectStart(environment.boot, plan)
        return JumpHooks(whenLoaded: directStart.select) {
            do throws(Failure) { try directStart.takeBack() } catch {
                environment.terminal.warn(
                    "the next start may go through the boot entry of Torpor once more: \(environment.sentence(error))")
            }
        }
    }

    /// Erases the contents of an image that nobody needs any more. If that fails, the hibernation is no failure.
    private func eraseImage(_ report: Report, _ answer: inout ReportOutput, _ environment: CommandEnvironment) {
        let terminal = environment.terminal
        let progress = EraseProgress(environment, output)
        do throws(Failure) {
            guard let erasure = try environment.hibernation.eraseImage(after: report, progress.show) else { return }
            answer.erased = erasure.rawValue
            if !output.json { terminal.show("\(report.device): \(erasure.clause)") }
        } catch {
            let reason = environment.sentence(error)
            answer.eraseFailure = reason
            terminal.warn(
                "contents of the image are still on \(report.device): \(reason); erase them with: "
                    + "torpor discard \(report.device)")
        }
    }

    private func findCopies(_ report: Report, _ answer: inout ReportOutput, _ environment: CommandEnvironment) {
        let copies = (try? environment.hibernation.copies(of: report.device)) ?? []
        answer.copies = copies
        for copy in copies {
            environment.terminal.warn(
                "a copy of the image is still on \(copy); erase its contents with: torpor discard \(copy)")
        }
    }

    private func failure(_ report: Report) -> Failure? {
        switch report.outcome {
        case .snapshot, .resumed, .rehearsed: nil
        case .failed: Failure("hibernate", "", report.text.isEmpty ? "kernel B gave no reason" : report.text)
        case .none:
            Failure(
                "hibernate", "", "neither kernel B nor kernel C left a report",
                remedy: "look at the console, and run: torpor status")
        }
    }
}
