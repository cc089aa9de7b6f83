// SPDX-License-Identifier: Apache-2.0
import Basics

/// A step of `torpor setup`. It can be done again, and undone.
protocol SetupStep {
    /// What the step would do on this system now. Changes nothing.
    /// - Throws: if it could not do it.
    func intention(_ context: SetupContext) throws(Failure) -> SetupIntention
    /// Does it, and records what has to be undone. To be called only if the intention is a change.
    func perform(_ context: SetupContext, _ record: inout SetupRecord) throws(Failure)
    /// Undoes what the record has, and removes that from the record.
    func undo(_ context: SetupContext, _ record: inout SetupRecord) throws(Failure)
}

/// What a step is about to do.
enum SetupIntention: Equatable {
    /// Something, as an imperative.
    case change(String)
    /// Nothing, with the reason as a sentence.
    case nothing(String)
}

/// What `torpor setup` was asked for, and where it works.
struct SetupContext {
    let environment: CommandEnvironment
    /// The path of the hibernation partition; empty for an undo.
    var path = ""
    /// The name that settings and initramfs use for it: one that stays the same when disks are found in another order.
    var deviceName = ""
    var wantsDirectStart = false
    /// Whether a person agreed in advance that the partition's contents are lost.
    var isForced = false

    /// The folder of Torpor's files.
    static let library = "/usr/lib/torpor"

    /// Lines of a failed program that a person sees.
    private static let shownLines = 8

    var boot: BootSystem { environment.boot }

    /// Prints a detail of a step.
    func say(_ line: String) { environment.terminal.show("   \(line)") }
    func warn(_ line: String) { environment.terminal.warn(line) }

    /// Runs a program to its end.
    /// - Throws: if it fails, with the last line that it wrote.
    func run(_ name: String, _ arguments: [String], environment variables: [String: String] = [:]) throws(Failure) {
        let command = ([name] + arguments).joined(separator: " ")
        let result = try environment.programs.run(Program(name, arguments, environment: variables))
        guard !result.isSuccess else { return }
        let lines = (result.output + "\n" + result.errors).split(separator: "\n")
        // The last line is often a summary, and the reason is above it.
        for line in lines.suffix(SetupContext.shownLines).dropLast() { say(printable(String(line))) }
        throw Failure(
            "run", command, result.clause + (lines.last.map { ": \(printable(String($0)))" } ?? ""),
            remedy: "run it by hand to see more, and then torpor setup again")
    }
}
