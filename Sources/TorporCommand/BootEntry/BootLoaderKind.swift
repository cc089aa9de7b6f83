// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import Hibernation

/// A boot loader that Torpor can make an entry for.
enum BootLoaderKind: String, CaseIterable, ExpressibleByArgument {
    case grub
    case systemdBoot = "systemd-boot"

    /// Finds the boot loader that started this machine.
    /// - Parameter remedy: what the administrator can do if nothing tells which one it was.
    static func thatStarted(_ system: BootSystem, remedy: String) throws(Failure) -> BootLoaderKind {
        let variables = EFIVariables(system: system)
        if let info = variables.text("LoaderInfo") {
            if info.hasPrefix("systemd-boot") { return .systemdBoot }
            if info.hasPrefix("GRUB") { return .grub }
            throw Failure(
                "find", "the boot loader", "\(info) started this machine, which Torpor has no entry for",
                remedy: "start it with GRUB or systemd-boot")
        }
        let hasGRUB = GRUBLoader.folder(system) != nil
        // systemd-boot always sets that variable. Fedora's GRUB has a folder of loader entries as well.
        let mayBeSystemdBoot =
            !variables.areReadable && system.exists("/sys/firmware/efi")
            && SystemdBootLoader.folders.contains { system.exists("\($0)/loader/loader.conf") }
        switch (hasGRUB, mayBeSystemdBoot) {
        case (true, false): return .grub
        case (true, true):
            throw Failure(
                "find", "the boot loader",
                "both GRUB and systemd-boot are here, and nothing tells which one started "
                    + "this machine",
                remedy: remedy)
        case (false, true):
            throw Failure(
                "find", "the boot loader",
                "the firmware's variables cannot be read, and only they tell of systemd-boot",
                remedy: "mount efivarfs on \(EFIVariables.folder)")
        case (false, false):
            throw Failure(
                "find", "the boot loader", "this machine was started with neither GRUB nor systemd-boot", remedy: remedy
            )
        }
    }

    /// The boot loader as it is installed on a system.
    func installed(_ system: BootSystem) throws(Failure) -> any InstalledBootLoader {
        switch self {
        case .grub: GRUBLoader(system)
        case .systemdBoot: try SystemdBootLoader(system)
        }
    }
}

/// The files of a boot entry.
struct BootEntryFiles: Equatable {
    var kernel: String
    var initrd: String
    /// The file that makes the boot loader show the entry.
    var entry: String
    /// Whether that file is a program.
    var isEntryProgram: Bool
}

/// A boot loader on a system, with its entry for kernel C.
protocol InstalledBootLoader {
    var files: BootEntryFiles { get }
    /// The entry's name for the boot loader.
    var identifier: String { get }
    /// The entry as the boot loader reads it, in lines.
    /// - Throws: if the boot loader could not read these files or pass on these parameters.
    func entry(_ commandLine: BootEntryCommandLine) throws(Failure) -> String
    /// The content of `files.entry`.
    func content(ofEntry entry: String) -> String
    /// Checks that nothing prevents an installation.
    func requireInstallable() throws(Failure)
    /// The program, with its arguments, that makes the boot loader's menu again; nil if none is needed. To be run after an
    /// installation and after a removal.
    var menuCommand: [String]? { get }
    /// The parameters of the entry that the boot loader would start now.
    /// - Throws: if it has no entry of Torpor.
    func installedParameters() throws(Failure) -> [String]
    /// Checks that an entry can be selected for the next start only. Changes nothing.
    func requireSelectable() throws(Failure)
    /// The entry that is selected for the next start only; nil if none is.
    func selected() throws(Failure) -> String?
    /// Selects an entry for the next start only; nil selects none.
    func select(_ identifier: String?) throws(Failure)
}

extension InstalledBootLoader {
    /// What the administrator has to do after an installation, as an imperative; nil if nothing.
    var nextStep: String? { menuCommand.map { "run \($0.joined(separator: " "))" } }
}

/// The marker of files that Torpor wrote. It overwrites no other file.
let bootEntryMarker = "# Written by torpor boot-entry"

/// The entry's name in menus.
let bootEntryTitle = "Torpor: resume"
