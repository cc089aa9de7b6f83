// SPDX-License-Identifier: Apache-2.0
import Basics
import Hibernation
import MemoryImage

/// Makes the partition a hibernation partition, if it is none. An undo leaves it: it may hold a session.
struct FormatStep: SetupStep {
    func intention(_ context: SetupContext) throws(Failure) -> SetupIntention {
        let path = context.path
        let verdict = try HibernationPartition.verdict(path)
        if case .ours(let superblock, _) = verdict {
            guard superblock.isUnused else {
                throw Failure(
                    "set up", path, "it is a hibernation partition with \(superblock.stateDescription)",
                    remedy: "resume the session first, or drop it with: torpor discard \(path)")
            }
            return .nothing("\(path) is a hibernation partition already")
        }
        try context.environment.devices.requireUnused(path, "set up")
        let content = try formatting(context).contents()
        return .change("format \(path)" + (content.map { ": \($0), and ALL OF IT WILL BE LOST" } ?? ", which is empty"))
    }

    func perform(_ context: SetupContext, _ record: inout SetupRecord) throws(Failure) {
        let path = context.path
        var formatting = formatting(context)
        if let content = try formatting.contents() {
            try requireConsent(context, "\(path): \(content)")
            formatting.isForced = true
        }
        let progress = EraseProgress(context.environment, OutputOptions())
        let superblock = try formatting.perform(progress.show)
        context.say("\(path): \(describe(bytes: superblock.deviceByteCount)), UUID=\(superblock.uuid)")
        if !superblock.keepsBootFiles {
            context.warn(
                "\(path) is too small to keep the kernel of a session, so an ordinary start cannot resume; use a partition of "
                    + "512 MiB or more")
        }
    }

    func undo(_ context: SetupContext, _ record: inout SetupRecord) throws(Failure) {}

    private func formatting(_ context: SetupContext) -> Formatting {
        Formatting(context.path, label: "", isForced: false)
    }

    /// Asks a person whether the contents may be lost.
    private func requireConsent(_ context: SetupContext, _ what: String) throws(Failure) {
        if context.isForced { return }
        let remedy = "use --force if its contents may be lost, or name another partition"
        guard let answer = context.environment.terminal.ask("\(what). Type yes to lose all of it: ")
        else { throw Failure("format", what, "nobody can be asked whether that may be lost", remedy: remedy) }
        guard answer == "yes" else { throw Failure("format", context.path, "the answer was not yes", remedy: remedy) }
    }
}
