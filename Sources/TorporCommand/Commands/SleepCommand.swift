// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import Hibernation

struct SleepCommand: TorporSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "sleep",
        abstract: "Do what systemd-sleep does, with Torpor's hibernation; for services of systemd.")

    @Argument(
        help:
            "hibernate, suspend-then-hibernate, hybrid-sleep (refused), or thaw: end what a killed operation left behind."
    )
    var operation: SleepOperation

    func run(_ environment: CommandEnvironment) throws {
        let terminal = environment.terminal
        switch operation {
        case .hibernate, .suspendThenHibernate: break
        case .thaw:
            try UserSessions(system: environment.sleep, say: terminal.show, warn: terminal.warn).thawLeftOver()
            return
        case .announce:
            let resume = ResumeSetting(system: environment.sleep)
            if resume.isInTheWay {
                try resume.set(partition: partition(environment))
                terminal.show(
                    "\(ResumeSetting.file) names the hibernation partition, so that logind offers hibernation")
            }
            return
        case .hybridSleep:
            throw Failure(
                "hybrid-sleep", "",
                "a saved session is on the disk, so the system in memory must never run again and cannot be suspended",
                remedy: "use systemctl hibernate or systemctl suspend-then-hibernate")
        }
        let command = try HibernateCommand.parse([])
        let hibernation = SleepRun.Hibernation(
            check: { _ = try partition(environment) },
            run: {
                do { try command.run(environment) } catch let failure as Failure {
                    // It is printed where it happens, before the hooks run.
                    environment.show(failure)
                    throw ExitCode(1)
                }
            })
        try SleepRun(
            system: environment.sleep, operation: operation, hibernation: hibernation, say: terminal.show,
            warn: terminal.warn
        ).run()
    }

    /// The path of the partition to which `torpor hibernate` would hibernate.
    /// - Throws: if this system cannot hibernate. Warnings are left to `torpor hibernate`.
    private func partition(_ environment: CommandEnvironment) throws -> String {
        let command = try HibernateCommand.parse([])
        var findings = Findings()
        return try environment.hibernation.check(
            command.kernelB.plan(environment, after: command.after), &findings
        ) { _ in }.path
    }
}
