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
                try resume.set(partition: partition(hibernation(environment), environment))
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
        let command = try hibernation(environment)
        let hibernation = SleepRun.Hibernation(
            check: { _ = try partition(command, environment) },
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

    /// The hibernation that the settings ask for.
    private func hibernation(_ environment: CommandEnvironment) throws -> HibernateCommand {
        try HibernateCommand.parse([]).configured(environment.configuration.read(), [])
    }

    /// The path of the partition to which `torpor hibernate` would hibernate.
    /// - Throws: if this system cannot hibernate. Warnings are left to `torpor hibernate`.
    private func partition(_ command: HibernateCommand, _ environment: CommandEnvironment) throws -> String {
        let plan = command.kernelB.plan(environment, after: command.after)
        return try environment.hibernation.survey(plan) { _ in }.requiredPath()
    }
}
