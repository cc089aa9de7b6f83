// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import CLinux
import Hibernation
import Linux

/// systemd-boot. Its entry is a file of the Boot Loader Specification (type 1).
struct SystemdBootLoader: InstalledBootLoader {
    let system: BootSystem
    /// $BOOT: where the EFI system partition, or the extended boot loader partition, is mounted.
    let folder: String
    let identifier = "torpor.conf"

    /// Where these partitions are mounted. If both are, the extended one is /boot, and it has more space.
    static let folders = ["/boot", "/efi", "/boot/efi"]

    init(_ system: BootSystem) throws(Failure) {
        self.system = system
        // To look first is what makes an automounter mount the file system.
        let folder = SystemdBootLoader.folders.first { folder in
            guard system.exists("\(folder)/loader/entries"), let mount = try? system.mount(of: folder) else {
                return false
            }
            return mount.target == system.resolved(folder) && ["vfat", "msdos"].contains(mount.type)
        }
        guard let folder else {
            throw Failure(
                "find", "systemd-boot's partition",
                "no FAT file system with loader/entries is mounted on /boot, /efi or /boot/efi",
                remedy: "mount the EFI system partition on /efi")
        }
        self.folder = folder
    }

    var files: BootEntryFiles {
        BootEntryFiles(
            kernel: "\(folder)/torpor/vmlinuz", initrd: "\(folder)/torpor/rootfs.gz",
            entry: "\(folder)/loader/entries/\(identifier)", isEntryProgram: false)
    }

    // MARK: The entry

    func entry(_ commandLine: BootEntryCommandLine) -> String {
        """
        title   \(bootEntryTitle)
        linux   /torpor/vmlinuz
        initrd  /torpor/rootfs.gz
        options \(commandLine.text)

        """
    }

    func content(ofEntry entry: String) -> String { "\(bootEntryMarker)\n\(entry)" }

    /// Refuses if systemd-boot would start the entry although nobody selected it: without a default entry it starts the first
    /// one of its menu.
    func requireInstallable() throws(Failure) {
        if hasOtherDefault || hasEarlierEntry { return }
        throw Failure(
            "install", "the entry for systemd-boot", "no default entry is set, so it would be started every time",
            remedy: "set one with: bootctl set-default ID")
    }

    private var hasOtherDefault: Bool {
        let own = identifier
        if let name = EFIVariables(system: system).text("LoaderEntryDefault"), !name.isEmpty {
            return fnmatch(name, own, 0) != 0
        }
        // The configuration is on the EFI system partition, the entry perhaps on the extended partition.
        let patterns = SystemdBootLoader.folders.flatMap { folder in
            SystemdBootLoader.values("default", in: system.text("\(folder)/loader/loader.conf") ?? "")
        }
        return patterns.contains { fnmatch($0, own, 0) != 0 }
    }

    /// Whether another entry certainly precedes this one: entries with a sort-key precede all others, which are in descending
    /// order of their names (systemd 252, src/boot/efi/boot.c, `config_entry_compare`).
    private var hasEarlierEntry: Bool {
        SystemdBootLoader.folders.contains { folder in
            system.names(in: "\(folder)/EFI/Linux").contains { $0.lowercased().hasSuffix(".efi") }
                || system.names(in: "\(folder)/loader/entries").contains { name in
                    guard name.hasSuffix(".conf"), name != identifier else { return false }
                    let text = system.text("\(folder)/loader/entries/\(name)") ?? ""
                    let first = name.lowercased().utf8.first ?? 0
                    return !SystemdBootLoader.values("sort-key", in: text).isEmpty
                        || first > UInt8(ascii: "t") && first <= UInt8(ascii: "z")
                }
        }
    }

    /// The values of a key in an entry, or in loader.conf.
    static func values(_ key: String, in text: String) -> [String] {
        text.split(whereSeparator: \.isNewline).compactMap { line in
            let line = line.drop { $0 == " " || $0 == "\t" }
            guard line.hasPrefix(key), let separator = line.dropFirst(key.count).first, " \t".contains(separator) else {
                return nil
            }
            let value = line.dropFirst(key.count).drop { $0 == " " || $0 == "\t" }
            return value.isEmpty ? nil : String(value)
        }
    }

    let menuCommand: [String]? = nil

    func installedParameters() throws(Failure) -> [String] {
        guard let text = system.text(files.entry), text.hasPrefix(bootEntryMarker) else {
            throw Failure(
                "select", "the boot entry \(identifier)", "there is no entry of Torpor in \(folder)/loader/entries",
                remedy: "run torpor boot-entry --install")
        }
        return KernelCommandLine(SystemdBootLoader.values("options", in: text).joined(separator: " ")).parameters
    }

    // MARK: The selection

    private static let variable = "LoaderEntryOneShot"

    func requireSelectable() throws(Failure) {
        let variables = EFIVariables(system: system)
        guard let info = variables.text("LoaderInfo"), info.hasPrefix("systemd-boot") else {
            throw Failure(
                "select", "the boot entry \(identifier)", "systemd-boot did not start this machine",
                remedy: "hibernate without --direct-start")
        }
        // LoaderFeatures is a number of 64 bits; bit 3 stands for LoaderEntryOneShot (Boot Loader Interface).
        if let features = variables.bytes("LoaderFeatures")?.first, features & 1 << 3 == 0 {
            throw Failure(
                "select", "the boot entry \(identifier)", "\(info) cannot start an entry only once",
                remedy: "update it with: bootctl update")
        }
    }

    func selected() -> String? {
        EFIVariables(system: system).text(SystemdBootLoader.variable).flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Sets the variable that `bootctl set-oneshot` sets, or removes it. systemd-boot removes it when it starts; efivarfs then
    /// still shows an empty file, which this removes.
    func select(_ identifier: String?) throws(Failure) {
        guard identifier == nil || identifier != selected() else { return }
        try EFIVariables(system: system).set(SystemdBootLoader.variable, identifier)
    }
}
