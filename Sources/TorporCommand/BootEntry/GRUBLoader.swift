// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Hibernation
import Linux

/// GRUB 2. Its entry comes from a program below /etc/grub.d, which runs whenever grub.cfg is made.
struct GRUBLoader: InstalledBootLoader {
    let system: BootSystem
    let files = BootEntryFiles(
        kernel: "/boot/torpor/vmlinuz", initrd: "/boot/torpor/rootfs.gz", entry: "/etc/grub.d/42_torpor",
        isEntryProgram: true)
    let identifier = "torpor"

    init(_ system: BootSystem) { self.system = system }

    /// GRUB's folder; Fedora's and openSUSE's has another name. nil if GRUB is not installed.
    static func folder(_ system: BootSystem) -> String? {
        system.first(of: ["/boot/grub/grub.cfg", "/boot/grub2/grub.cfg"]).map { String($0.dropLast("/grub.cfg".count)) }
    }

    private var folder: String { GRUBLoader.folder(system) ?? "/boot/grub" }
    private var configuration: String { "\(folder)/grub.cfg" }
    private var environment: String { "\(folder)/grubenv" }

    // MARK: The entry

    func entry(_ commandLine: BootEntryCommandLine) throws(Failure) -> String {
        let mount = try system.mount(of: "/boot")
        guard let uuid = try system.fileSystemUUID(mount) else {
            throw Failure(
                "make", "an entry for GRUB", "\(mount.user) has no UUID, so GRUB cannot find it",
                remedy: "write an entry by hand, with the parameters that torpor check prints")
        }
        // GRUB puts a backslash before these, which the kernel does not remove (GRUB 2.06, grub-core/lib/cmdline.c).
        if let parameter = commandLine.parameters.first(where: { $0.contains { "'\"\\".contains($0) } }) {
            throw Failure(
                "make", "an entry for GRUB", "GRUB would change the parameter \(printable(parameter))",
                remedy: "leave it out")
        }
        let folder = system.pathInFileSystem("/boot", mount)
        return """
            menuentry '\(bootEntryTitle)' --id \(identifier) --unrestricted {
                search --no-floppy --fs-uuid --set=root \(uuid)
                linux \(GRUBLoader.quoted("\(folder)/torpor/vmlinuz")) \
            \(commandLine.parameters.map { GRUBLoader.quoted($0) }.joined(separator: " "))
                initrd \(GRUBLoader.quoted("\(folder)/torpor/rootfs.gz"))
            }

            """
    }

    /// A word of a script. GRUB puts a parameter with a space into double quotes for the kernel.
    static func quoted(_ word: String) -> String {
        word.utf8.allSatisfy { isPlain($0) } ? word : "'\(word)'"
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "_-=.,:/+@%".utf8.contains(byte)
        }
    }

    func content(ofEntry entry: String) -> String {
        """
        #!/bin/sh
        \(bootEntryMarker)
        # grub-mkconfig runs this program and puts its output into grub.cfg.
        cat <<'END_OF_ENTRY'
        \(entry)END_OF_ENTRY

        """
    }

    func requireInstallable() throws(Failure) {
        guard system.exists("/etc/grub.d") else {
            throw Failure(
                "install", "the entry for GRUB", "there is no /etc/grub.d",
                remedy: "put the entry into \(configuration) by hand; torpor boot-entry prints it without --install")
        }
    }

    /// Torpor does not make grub.cfg itself: that changes the entries of all kernels, and os-prober would mount the file
    /// systems of other systems, whose sessions may be saved.
    var menuCommand: [String]? {
        if system.first(of: ["/usr/sbin/update-grub", "/sbin/update-grub"]) != nil { return ["update-grub"] }
        let prefixed = ["/usr/sbin/grub2-mkconfig", "/sbin/grub2-mkconfig", "/usr/bin/grub2-mkconfig"]
        return [system.first(of: prefixed) != nil ? "grub2-mkconfig" : "grub-mkconfig", "-o", configuration]
    }

    private var updateCommand: String { menuCommand?.joined(separator: " ") ?? "" }

    func installedParameters() throws(Failure) -> [String] {
        guard let text = system.text(configuration, limit: 64 << 20) else {
            throw Failure("read", configuration, "there is no such file", remedy: "run \(updateCommand)")
        }
        let lines = text.split(separator: "\n").drop {
            !$0.hasPrefix("menuentry '\(bootEntryTitle)' --id \(identifier) ")
        }
        guard let line = lines.prefix(while: { $0 != "}" }).first(where: { $0.hasPrefix("    linux ") }) else {
            throw Failure(
                "select", "the boot entry \(identifier)", "\(configuration) does not have it",
                remedy: "run torpor boot-entry --install, and then \(updateCommand)")
        }
        return GRUBLoader.words(line.dropFirst("    linux ".count)).dropFirst().map { $0 }
    }

    /// The words of a line that `entry` wrote.
    static func words(_ line: some StringProtocol) -> [String] {
        var words: [String] = [], word = "", isQuoted = false
        for character in line {
            if character == "'" {
                isQuoted.toggle()
            } else if character == " ", !isQuoted {
                words.append(word)
                word = ""
            } else {
                word.append(character)
            }
        }
        return words + [word]
    }

    // MARK: The selection

    private static let variable = "next_entry"

    func requireSelectable() throws(Failure) {
        if system.text(configuration, limit: 64 << 20)?.contains(GRUBLoader.variable) == false {
            throw Failure(
                "select", "the boot entry \(identifier)", "\(configuration) does not use \(GRUBLoader.variable)",
                remedy: "make it with grub-mkconfig")
        }
        var content = try read()
        try content.set(GRUBLoader.variable, identifier, path: environment)
        try requireWritableForGRUB()
    }

    /// Refuses a file system on which GRUB could not clear the selection at boot. Then every start would go through the entry.
    private func requireWritableForGRUB() throws(Failure) {
        let mount = try system.mount(of: environment)
        let name = mount.source.split(separator: "/").last.map(String.init) ?? mount.source
        // GRUB writes to blocks of the disk that it read the file from, which these do not allow (GRUB 2.06,
        // grub-core/commands/loadenv.c; grub-mkconfig's 00_header leaves out recordfail for the same reason).
        let types = ["btrfs", "zfs"]
        let isMapped = name.hasPrefix("dm-") || mount.source.hasPrefix("/dev/mapper/") || name.hasPrefix("md")
        guard types.contains(mount.type) || isMapped else { return }
        throw Failure(
            "select", "the boot entry \(identifier)",
            "GRUB cannot write to \(environment) (\(mount.type) on \(mount.source)), so it would start the entry every time",
            remedy: "put \(folder) on an ext4 partition, or hibernate without --direct-start")
    }

    private func read() throws(Failure) -> GRUBEnvironment {
        guard system.exists(environment) else {
            throw Failure(
                "read", environment, "there is no such file",
                remedy:
                    "make it with: \(folder.hasSuffix("2") ? "grub2-editenv" : "grub-editenv") \(environment) create")
        }
        return try GRUBEnvironment(readFile(system.real(environment)), path: environment)
    }

    func selected() throws(Failure) -> String? { try read().value(GRUBLoader.variable) }

    func select(_ identifier: String?) throws(Failure) {
        var content = try read()
        guard content.value(GRUBLoader.variable) != identifier else { return }
        try content.set(GRUBLoader.variable, identifier, path: environment)
        // In place, so that the file keeps its blocks.
        let file = try File(system.real(environment), .write)
        var failure: Failure?
        content.bytes.withUnsafeBytes { bytes in
            do throws(Failure) { try file.write(bytes, at: 0) } catch { failure = error }
        }
        if let failure { throw failure }
        try file.flush()
    }
}
