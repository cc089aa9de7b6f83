// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// Writes /etc/torpor.conf, or changes its lines for the partition and the direct start.
struct SettingsStep: SetupStep {
    private static let path = ConfigurationFile.standardPath

    func intention(_ context: SetupContext) throws(Failure) -> SetupIntention {
        let content = try content(context)
        guard context.boot.exists(SettingsStep.path) else {
            return .change("write \(SettingsStep.path): device = \(context.deviceName)")
        }
        return try context.text(SettingsStep.path) == content
            ? .nothing("\(SettingsStep.path) names \(context.deviceName) already")
            : .change("set device = \(context.deviceName) in \(SettingsStep.path)")
    }

    func perform(_ context: SetupContext, _ record: inout SetupRecord) throws(Failure) {
        record.device = context.deviceName
        let content = try content(context)
        // The administrator may have changed other lines since the last setup: they stay, and are not taken back.
        if let known = record.files.first(where: { $0.path == SettingsStep.path }),
            let now = context.boot.text(SettingsStep.path), now != known.content
        {
            record.files.removeAll { $0.path == SettingsStep.path }
            record.files.append(.init(path: SettingsStep.path, content: now, previous: known.previous))
        }
        try context.write(SettingsStep.path, content, &record)
    }

    /// The hooks of the initramfs look at this file, so it must not stay where it is. Settings that somebody changed are kept
    /// under another name.
    func undo(_ context: SetupContext, _ record: inout SetupRecord) throws(Failure) {
        let path = SettingsStep.path, boot = context.boot
        if let written = record.files.first(where: { $0.path == path }), boot.exists(path),
            try context.text(path) != written.content
        {
            record.files.removeAll { $0.path == path }
            let saved = "\(path).saved"
            try retrying("rename", "\(path) to \(saved)") { rename(boot.real(path), boot.real(saved)) }
            context.say("renamed \(path) to \(saved), because it was changed since torpor setup wrote it")
            return
        }
        try context.takeBack(path, &record)
    }

    /// The new content: the file's lines, with other values for these keys; without a file, a commented one.
    private func content(_ context: SetupContext) throws(Failure) -> String {
        var settings = [("device", context.deviceName)]
        if context.wantsDirectStart { settings.append(("direct-start", "yes")) }
        guard context.boot.exists(SettingsStep.path) else { return SettingsStep.template(settings) }
        let old = try context.text(SettingsStep.path)
        // A file with an error would make every later command fail.
        let configuration = try context.environment.configuration.read()
        _ = try ConfigurationKey.arguments(configuration, [])
        var lines = old.split(omittingEmptySubsequences: false) { $0.isNewline }.map(String.init)
        for (key, value) in settings {
            let line = "\(key) = \(value)"
            if let setting = configuration.settings.first(where: { $0.key == key }) {
                if setting.value != value { lines[setting.line - 1] = line }
            } else {
                if lines.last == "" { lines.removeLast() }
                lines += [line, ""]
            }
        }
        return lines.joined(separator: "\n")
    }

    static func template(_ settings: [(key: String, value: String)]) -> String {
        var text = """
            # Settings of Torpor: KEY = VALUE. torpor.conf(5) describes all of them. The command line overrides them.
            # `torpor check` shows whether they work.


            """
        for (key, value) in settings { text += "\(key) = \(value)\n" }
        let set = settings.map { $0.key }
        for (key, value, meaning) in examples where !set.contains(key) {
            text += "\n# \(meaning)\n#\(key) = \(value)\n"
        }
        return text
    }

    /// The keys with an example and what they mean.
    static let examples = [
        ("codec", "lz4", "The compression: none, lz4, zstd[:LEVEL] or xz[:LEVEL]."),
        ("after", "poweroff", "After the save: poweroff or reboot."),
        ("direct-start", "no", "Whether the next start resumes without the boot loader's default entry: yes or no."),
        ("kernel", "/usr/lib/torpor/vmlinuz", "The kernel that saves and restores the memory."),
        ("initrd", "/usr/lib/torpor/rootfs.gz", "Its initramfs."),
        ("backup-end", "auto", "The memory below this address is for that kernel: auto, or a multiple of 64M."),
        ("append", "", "More parameters for that kernel's command line."),
        ("allow-unwatched", "no", "Whether to hibernate with file systems that cannot be checked for changes."),
        ("allow-old-kernel", "no", "Whether to hibernate with a kernel whose version lacks a fix."),
    ]
}
