// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// Installs a boot entry that starts kernel C directly. It is needed for direct starts only; otherwise it is a second way to
/// resume, and a system without a known boot loader does without.
struct BootEntryStep: SetupStep {
    func intention(_ context: SetupContext) throws(Failure) -> SetupIntention {
        do throws(Failure) {
            let loader = try loader(context)
            return .change("install a boot entry for \(loader.kind.rawValue)")
        } catch {
            if context.wantsDirectStart { throw error }
            return .nothing("no boot entry is installed (\(error)); an ordinary start resumes without it")
        }
    }

    func perform(_ context: SetupContext, _ record: inout SetupRecord) throws(Failure) {
        do throws(Failure) {
            let loader = try loader(context)
            // Before the command runs: it may have written some files when it fails.
            record.bootLoader = loader.kind.rawValue
            guard Torpor.run(["boot-entry", "--install"], context.environment) == 0 else {
                throw Failure("install", "the boot entry", "torpor boot-entry --install failed")
            }
            try runNextStep(loader.installed, context)
        } catch {
            if context.wantsDirectStart { throw error }
            context.warn("there is no boot entry (\(error)); an ordinary start resumes without it")
        }
    }

    func undo(_ context: SetupContext, _ record: inout SetupRecord) throws(Failure) {
        guard let name = record.bootLoader else { return }
        record.bootLoader = nil
        guard let kind = BootLoaderKind(rawValue: name), let installed = try? kind.installed(context.boot) else {
            return
        }
        for path in try BootEntryInstaller(system: context.boot, files: installed.files).remove() {
            context.say("removed \(path)")
        }
        try runNextStep(installed, context)
    }

    private func loader(
        _ context: SetupContext
    ) throws(Failure) -> (kind: BootLoaderKind, installed: any InstalledBootLoader) {
        let kind = try BootLoaderKind.thatStarted(context.boot, remedy: "see torpor boot-entry --help")
        let installed = try kind.installed(context.boot)
        try installed.requireInstallable()
        if let program = installed.menuCommand?.first, context.boot.program(program) == nil {
            throw Failure(
                "install", "the boot entry", "there is no \(program), which puts it into the menu of \(kind.rawValue)",
                remedy: "install the package with \(program), or see torpor boot-entry --help")
        }
        return (kind, installed)
    }

    /// Makes the boot loader's menu again, if that is left to do.
    private func runNextStep(_ installed: any InstalledBootLoader, _ context: SetupContext) throws(Failure) {
        guard let command = installed.menuCommand else { return }
        // Without the program there is no menu that it has made.
        guard context.boot.program(command[0]) != nil else { return }
        try context.run(command[0], Array(command.dropFirst()))
    }
}
