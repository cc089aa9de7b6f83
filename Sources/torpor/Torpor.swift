// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import BlockDevices
import Hibernation
import Linux

@main
struct Torpor: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "torpor",
        abstract: "Hibernate Linux through a second kernel.",
        version: torporVersion,
        subcommands: [
            FormatCommand.self, CheckCommand.self, HibernateCommand.self, StatusCommand.self, VerifyCommand.self,
            DiscardCommand.self,
        ])

    /// Exit status: 0 done, 1 failed, 2 usage.
    static func main() {
        do {
            var command = try parseAsRoot()
            try command.run()
            endProgram(status: 0)
        } catch let failure as Failure {
            print(failure)
            endProgram(status: 1)
        } catch {
            let text = fullMessage(for: error)
            switch exitCode(for: error) {
            case .success:
                print(output: text)
                endProgram(status: 0)
            case .validationFailure:
                print(error: text.hasPrefix("Error: ") ? "torpor: \(text.dropFirst(7))" : text)
                endProgram(status: 2)
            case let code:
                if !text.isEmpty { print(error: text.hasPrefix("Error: ") ? "torpor: \(text.dropFirst(7))" : text) }
                endProgram(status: code.rawValue)
            }
        }
    }
}

/// How a command prints what it reports.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print the report as JSON.")
    var json = false

    @Flag(help: "Print sizes in bytes.")
    var bytes = false

    /// A size as it was asked for.
    func size(_ count: UInt64) -> String { bytes ? "\(count)" : describe(bytes: count) }
}

extension DeviceName: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}
