// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import CLinux

/// The program `torpor` with its commands.
public struct Torpor: ParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "torpor",
        abstract: "Hibernate Linux through a second kernel.",
        version: torporVersion,
        subcommands: [
            FormatCommand.self, CheckCommand.self, HibernateCommand.self, StatusCommand.self, VerifyCommand.self,
            DiscardCommand.self, BootEntryCommand.self, SetupCommand.self, SleepCommand.self,
        ])

    public init() {}

    /// Runs the program with this process's arguments and ends the process.
    public static func main() { CLinux.exit(run(Array(CommandLine.arguments.dropFirst()), .ofThisSystem())) }

    /// Runs the program.
    /// - Parameter arguments: without the program's name.
    /// - Returns: the exit status: 0 done, 1 failed, 2 usage error. Output that could not be written is a failure, too.
    static func run(_ arguments: [String], _ environment: CommandEnvironment) -> Int32 {
        let status = perform(arguments, environment)
        guard let failure = environment.terminal.output.failure else { return status }
        environment.show(failure)
        return max(status, 1)
    }

    private static func perform(_ arguments: [String], _ environment: CommandEnvironment) -> Int32 {
        let terminal = environment.terminal
        do {
            var command = try parseAsRoot(arguments)
            if let configured = command as? any ConfiguredCommand {
                command = try configured.configured(environment.configuration.read(), Array(arguments.dropFirst()))
            }
            if let command = command as? any TorporSubcommand {
                try command.run(environment)
            } else {
                // The parser's own commands, such as help.
                try command.run()
            }
            return 0
        } catch let failure as Failure {
            environment.show(failure)
            return 1
        } catch {
            let text = fullMessage(for: error, columns: terminal.columns)
            // The parser begins its errors with this word; ours begin with the program's name.
            let message = text.hasPrefix("Error: ") ? "torpor: \(text.dropFirst(7))" : text
            switch exitCode(for: error) {
            case .success:
                terminal.write(text)
                return 0
            case .validationFailure:
                terminal.write(error: message)
                return 2
            case let code:
                if !message.isEmpty { terminal.write(error: message) }
                return code.rawValue
            }
        }
    }
}

/// A command of the program.
protocol TorporSubcommand: ParsableCommand {
    /// Does the command's work.
    /// - Throws: `Failure` for exit status 1 with this message, `ExitCode` if the command has printed the message.
    func run(_ environment: CommandEnvironment) throws
}
