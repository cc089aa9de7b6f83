// SPDX-License-Identifier: Apache-2.0
import Basics

@testable import TorporCommand

/// Programs that only say how they end. A test sees what was run.
final class FakePrograms: ProgramRunner {
    /// The command lines, in their order.
    private(set) var commands: [String] = []
    /// The variables that each program got last, by its name.
    private(set) var environments: [String: [String: String]] = [:]
    /// What happens when a program runs, by the beginning of its command line. Without an entry it succeeds.
    var results: [String: Result<ProgramResult, Failure>] = [:]
    /// Is called with each command line.
    var onRun: (String) -> Void = { _ in }

    func run(_ programs: [Program], milliseconds: Int?) -> [Result<ProgramResult, Failure>] {
        programs.map { program in
            let command = ([program.name] + program.arguments).joined(separator: " ")
            commands.append(command)
            environments[program.name] = program.environment
            onRun(command)
            return results.first { command.hasPrefix($0.key) }?.value ?? .success(ProgramResult(end: .exited(0)))
        }
    }

    func forget() { commands = [] }
}
