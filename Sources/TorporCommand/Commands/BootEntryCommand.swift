// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import BlockDevices
import Hibernation
import Linux

struct BootEntryCommand: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "boot-entry", abstract: "Print or install a boot entry that starts kernel C directly.",
        discussion: """
            The entry starts the kernel and the rootfs.gz that torpor hibernate loads, with the parameters that kernel C \
            needs. torpor hibernate --direct-start selects it for the next start only.
            """)

    @Option(help: "The boot loader: grub or systemd-boot. (default: the one that started this machine)")
    var bootLoader: BootLoaderKind?

    @Flag(help: "Install the entry, with copies of the kernel and of rootfs.gz.")
    var install = false

    @Option(help: "The hibernation partition; required if there are several.")
    var device: DeviceName?

    @Option(help: "The kernel of the entry. (default: as for torpor hibernate)", completion: .file())
    var kernel: String?

    @Option(help: "The rootfs.gz of the entry. (default: as for torpor hibernate)", completion: .file())
    var initrd: String?

    @Option(help: "The --backup-end of torpor hibernate.")
    var backupEnd: String?

    @Option(help: "More parameters for kernel C's command line.")
    var append = ""

    @Flag(inversion: .prefixedNo, exclusivity: .chooseLast, help: "As for torpor hibernate.")
    var allowUnwatched = false

    @Flag(inversion: .prefixedNo, exclusivity: .chooseLast, help: "As for torpor hibernate.")
    var allowOldKernel = false

    /// `append` is for kernel B there, and for kernel C here.
    static let configurationKeys = KernelBOptions.configurationKeys.filter { $0 != "append" && $0 != "codec" }

    @OptionGroup var output: OutputOptions

    private struct Answer: Encodable {
        let bootLoader: String
        /// The entry as the boot loader reads it.
        let entry: String
        /// The files of the entry, whether they exist or not.
        let entryFile, kernelFile, initrdFile: String
        /// The parameters of the entry.
        let kernelCParameters: [String]
        /// The files that were written; nil without `--install`.
        let writtenFiles: [String]?
        /// What is left to do; nil if nothing.
        let nextStep: String?
        let warnings: [String]
    }

    func validate() throws {
        guard !append.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
            throw ValidationError("--append must not contain control characters.")
        }
    }

    func run(_ environment: CommandEnvironment) throws {
        try environment.reporting(output) { try makeEntry(environment) }
    }

    private func makeEntry(_ environment: CommandEnvironment) throws {
        let terminal = environment.terminal
        let plan = try plan(environment)
        let loader = try bootLoader ?? .thatStarted(environment.boot, remedy: "name it with --boot-loader")
        let installed = try loader.installed(environment.boot)
        let survey = environment.hibernation.survey(plan) { line in
            if !output.json { terminal.write(error: "torpor: \(line)") }
        }
        let findings = survey.list.findings
        if !output.json {
            for warning in findings.warnings { terminal.warn(warning.description) }
        }
        let parametersForC = try survey.parameters()
        let commandLine = BootEntryCommandLine(
            parametersForC: parametersForC,
            own: KernelCommandLine(try readText(environment.boot.real("/proc/cmdline"))),
            additional: KernelCommandLine(append))
        try requireRoom(commandLine)
        let entry = try installed.entry(commandLine)
        let files = installed.files
        var written: [String]?
        if install {
            try installed.requireInstallable()
            written = try BootEntryInstaller(system: environment.boot, files: files).install(
                kernel: plan.kernelPath, initrd: plan.initrdPath, entry: installed.content(ofEntry: entry))
        }
        if output.json {
            try terminal.write(
                json: Answer(
                    bootLoader: loader.rawValue, entry: entry, entryFile: files.entry, kernelFile: files.kernel,
                    initrdFile: files.initrd, kernelCParameters: commandLine.parameters, writtenFiles: written,
                    nextStep: install ? installed.nextStep : nil, warnings: findings.warnings.map { $0.description }))
        } else if let written {
            for path in written { terminal.show("wrote \(path)") }
            if written.isEmpty { terminal.show("\(files.entry) and its files are up to date") }
            if let next = installed.nextStep { terminal.show("now \(next)") }
        } else {
            for line in entry.split(separator: "\n") { terminal.show(String(line)) }
        }
    }

    /// The plan of `torpor hibernate` with the same options, so that the entry has the same kernel and rootfs.gz.
    private func plan(_ environment: CommandEnvironment) throws -> Hibernate {
        var arguments: [String] = []
        for (name, value) in [
            ("device", device?.description), ("kernel", kernel), ("initrd", initrd), ("backup-end", backupEnd),
        ] {
            if let value { arguments.append("--\(name)=\(value)") }
        }
        if allowUnwatched { arguments.append("--allow-unwatched") }
        if allowOldKernel { arguments.append("--allow-old-kernel") }
        return try KernelBOptions.parse(arguments).plan(environment)
    }

    /// Refuses a command line that the kernel would cut off (arch/x86/include/asm/setup.h, COMMAND_LINE_SIZE), with some room
    /// for what a boot loader adds.
    private func requireRoom(_ commandLine: BootEntryCommandLine) throws(Failure) {
        let limit = 1900, count = commandLine.text.utf8.count
        guard count > limit else { return }
        throw Failure(
            "make", "the boot entry", "its command line has \(count) bytes, and the kernel reads \(limit)",
            remedy: "remove parameters from --append, or from the kernel's own command line")
    }
}
