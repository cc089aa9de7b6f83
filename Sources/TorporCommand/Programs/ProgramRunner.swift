// SPDX-License-Identifier: Apache-2.0
import Basics

/// A program to run.
struct Program: Sendable, Equatable {
    /// What happens to the program's standard output and standard error.
    enum Output: Sendable { case inherited, captured, discarded }

    /// A path, or a name without a slash, which is looked up in PATH.
    var name: String
    /// Without the program's name.
    var arguments: [String]
    /// Variables that the program gets besides those of this process; these win.
    var environment: [String: String] = [:]
    var output = Output.captured
    /// Whether the program reads this process's standard input; otherwise its input is empty.
    var readsInput = false

    init(
        _ name: String, _ arguments: [String] = [], environment: [String: String] = [:], output: Output = .captured,
        readsInput: Bool = false
    ) {
        self.name = name
        self.arguments = arguments
        self.environment = environment
        self.output = output
        self.readsInput = readsInput
    }
}

/// How a program ended, and what it wrote.
struct ProgramResult: Sendable, Equatable {
    enum End: Sendable, Equatable {
        case exited(Int32)
        case killed(signal: Int32)
        /// It ran longer than it may, and was ended.
        case timedOut
    }

    var end: End
    /// What it wrote to its standard output and standard error, if that was captured; at most 1 MiB of each.
    var output = "", errors = ""

    var isSuccess: Bool { end == .exited(0) }

    /// How it ended, as a clause: `it exited with status 1`.
    var clause: String {
        switch end {
        case .exited(let status): "it exited with status \(status)"
        case .killed(let signal): "signal \(signal) killed it"
        case .timedOut: "it took too long and was ended"
        }
    }
}

/// Runs programs. A test replaces it.
protocol ProgramRunner {
    /// Runs programs at the same time, and returns when all have ended.
    /// - Parameter milliseconds: how long all of them together may take; nil means without a limit. A program that still runs
    ///   then gets SIGTERM, and after five seconds SIGKILL. Processes that it started are left alone.
    /// - Returns: a result for each program, in their order; a failure if the program could not be started.
    func run(_ programs: [Program], milliseconds: Int?) -> [Result<ProgramResult, Failure>]
}

extension ProgramRunner {
    /// Runs a program, and returns when it has ended, however it ended.
    /// - Throws: if it could not be started.
    func run(_ program: Program, milliseconds: Int? = nil) throws(Failure) -> ProgramResult {
        try run([program], milliseconds: milliseconds)[0].get()
    }
}
