// SPDX-License-Identifier: Apache-2.0
import Basics

/// The steps of `torpor setup`.
struct Setup {
    let context: SetupContext

    /// In the order in which they are done: each needs only what the ones before it have done.
    private static var steps: [any SetupStep] {
        [
            FormatStep(), SettingsStep(), RootfsStep(), InitramfsStep(), BootEntryStep(), UnitsStep(),
        ]
    }
    /// In the order in which they are undone.
    private static var undoSteps: [any SetupStep] {
        [
            UnitsStep(), BootEntryStep(), SettingsStep(), InitramfsStep(), RootfsStep(), FormatStep(),
        ]
    }

    /// Prints what each step would do.
    /// - Throws: if one of them could not be done.
    func show() throws(Failure) {
        for (number, step) in zip(1..., Setup.steps) { _ = announce(number, try step.intention(context)) }
    }

    /// Does all steps. The record is kept after each of them.
    func perform() throws(Failure) {
        // What a step cannot do is known before the first one changes something.
        for step in Setup.steps { _ = try step.intention(context) }
        var record = try SetupRecord.read(context.boot) ?? SetupRecord()
        for (number, step) in zip(1..., Setup.steps) {
            guard announce(number, try step.intention(context)) else { continue }
            do throws(Failure) { try step.perform(context, &record) } catch {
                try? record.keep(context.boot)
                throw error
            }
            try record.keep(context.boot)
        }
    }

    /// Undoes all steps that the record has.
    /// - Parameter keepsSettings: whether /etc/torpor.conf stays as it is.
    /// - Throws: the first failure, after all steps.
    func undo(keepsSettings: Bool) throws(Failure) {
        guard var record = try SetupRecord.read(context.boot) else {
            context.environment.terminal.show("there is nothing to undo: torpor setup has not run here")
            return
        }
        let steps = Setup.undoSteps.filter { !(keepsSettings && $0 is SettingsStep) }
        try all(steps, &record) { (step, record) throws(Failure) in try step.undo(context, &record) }
    }

    /// Does those recorded steps again that depend on the versions of Torpor and of the kernel.
    func refresh() throws(Failure) {
        guard var record = try SetupRecord.read(context.boot) else { return }
        let steps: [(step: any SetupStep, isRecorded: Bool)] = [
            (RootfsStep(), record.hasBuiltRootfs), (BootEntryStep(), record.bootLoader != nil),
            (UnitsStep(), !record.units.isEmpty),
        ]
        try all(steps.filter { $0.isRecorded }.map { $0.step }, &record) { (step, record) throws(Failure) in
            if case .change = try step.intention(context) { try step.perform(context, &record) }
        }
    }

    /// Takes each step in turn, also after a failure, and keeps the record after each.
    /// - Throws: the first failure; it prints the others.
    private func all(
        _ steps: [any SetupStep], _ record: inout SetupRecord,
        _ body: (any SetupStep, inout SetupRecord) throws(Failure) -> Void
    ) throws(Failure) {
        var failure: Failure?
        for step in steps {
            do throws(Failure) { try body(step, &record) } catch {
                if failure == nil { failure = error } else { context.environment.show(error) }
            }
            try record.keep(context.boot)
        }
        if let failure { throw failure }
    }

    /// Prints what a step is about to do.
    /// - Returns: whether it is something.
    private func announce(_ number: Int, _ intention: SetupIntention) -> Bool {
        let terminal = context.environment.terminal
        switch intention {
        case .change(let text):
            terminal.show("\(number). \(text)")
            return true
        case .nothing(let text):
            terminal.show("\(number). nothing to do: \(text)")
            return false
        }
    }
}
