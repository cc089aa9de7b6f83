// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics
import BlockDevices
import Hibernation

struct SetupCommand: TorporSubcommand {
    static let configuration = CommandConfiguration(
        commandName: "setup", abstract: "Set up this system to hibernate to a partition, step by step.",
        discussion: """
            It formats the partition, after a question if that holds data, writes /etc/torpor.conf, prepares the initramfs, \
            adds a boot entry if it can, makes systemctl hibernate use Torpor, and checks the result. It can be run again at \
            any time. --remove undoes everything but the formatting.
            """)

    @Argument(help: "The partition: a path, UUID=, LABEL=, PARTUUID= or PARTLABEL=.")
    var device: DeviceName?

    @Flag(help: "Show what would be done, and change nothing.")
    var dryRun = false

    @Flag(help: "Format the partition without a question, even if it holds data.")
    var force = false

    @Flag(help: "Let the next start after a hibernation resume directly, through the boot entry.")
    var directStart = false

    @Flag(help: "Undo what torpor setup has done on this system. The partition stays as it is.")
    var remove = false

    @Flag(help: "With --remove: leave /etc/torpor.conf. The package's scripts use it.")
    var keepConfiguration = false

    @Flag(help: "Renew what depends on the versions of Torpor and of the kernel. The package's scripts use it.")
    var refresh = false

    func validate() throws {
        guard device != nil || remove || refresh else {
            throw ValidationError("Name the partition to hibernate to, such as /dev/sda3.")
        }
        guard device == nil || !remove && !refresh else {
            throw ValidationError("--remove and --refresh take no partition.")
        }
        guard !(remove && refresh), !dryRun || !(remove || refresh) else {
            throw ValidationError("Use only one of --remove, --refresh and --dry-run.")
        }
        guard remove || !keepConfiguration else { throw ValidationError("--keep-configuration needs --remove.") }
    }

    func run(_ environment: CommandEnvironment) throws {
        guard environment.isRoot else {
            throw Failure("set up", "this system", "only root may change it", remedy: "run this as root")
        }
        var context = SetupContext(environment: environment)
        if remove { return try Setup(context: context).undo(keepsSettings: keepConfiguration) }
        if refresh { return try Setup(context: context).refresh() }
        context.wantsDirectStart = directStart
        context.isForced = force
        (context.path, context.deviceName) = try partition(environment)
        try requireKernel(environment)
        if dryRun { return try Setup(context: context).show() }
        try Setup(context: context).perform()
        try finish(environment)
    }

    /// The path of the partition, and a name for it that lasts.
    private func partition(_ environment: CommandEnvironment) throws(Failure) -> (String, String) {
        guard let device else { return ("", "") }
        let catalog = try environment.devices.catalog()
        let path = try findDeviceToFormat(device, catalog)
        guard try environment.devices.isBlockDevice(path) else {
            throw Failure("set up", path, "it is not a block device", remedy: "name a partition under /dev")
        }
        return (path, lastingName(path, device, catalog, environment))
    }

    /// The UUID that the partition table has; without one, the name that udev has for the disk, or else the given name.
    private func lastingName(
        _ path: String, _ name: DeviceName, _ catalog: DeviceCatalog, _ environment: CommandEnvironment
    ) -> String {
        let content = catalog.entries.first { $0.path == path }?.content
        if let uuid = content?.partitionUUID { return DeviceName.partitionUUID(uuid).description }
        if case .partitionLabel = name { return name.description }
        for folder in ["/dev/disk/by-id", "/dev/disk/by-path"] {
            for link in environment.boot.names(in: folder)
            where environment.boot.resolved("\(folder)/\(link)") == environment.boot.resolved(path) {
                return "\(folder)/\(link)"
            }
        }
        environment.terminal.warn(
            "\(path) has no name that lasts, and may get another one when disks are found in another order; use a partition of "
                + "a GPT disk")
        return path
    }

    /// Refuses a kernel that cannot hibernate: nobody should change a system for that.
    private func requireKernel(_ environment: CommandEnvironment) throws {
        let plan = Hibernate(device: nil, kernelPath: "", initrdPath: "")
        let list = environment.hibernation.surveyKernel(plan) { environment.terminal.show($0) }
        guard let failure = list.failure else { return }
        for line in list.requirements.filter({ $0.mark != .ok }).flatMap({ RequirementOutput($0, environment).lines }) {
            environment.terminal.show(line)
        }
        environment.terminal.write(error: "torpor: nothing was changed, because this system cannot hibernate as it is:")
        throw failure
    }

    /// Checks the result, and offers a rehearsal.
    private func finish(_ environment: CommandEnvironment) throws {
        let terminal = environment.terminal
        terminal.show("")
        guard Torpor.run(["check"], environment) == 0 else {
            terminal.write(error: "torpor: setup is done, but something is missing; mend it, and run: torpor check")
            throw ExitCode(1)
        }
        let question =
            "Rehearse now? The machine goes to the kernel that saves, and comes back; no image is written. [y/N] "
        guard let answer = terminal.ask(question), ["y", "yes"].contains(answer.lowercased()) else {
            terminal.show("now rehearse it with: torpor hibernate --rehearse")
            terminal.show("and hibernate with: systemctl hibernate, or: torpor hibernate")
            return
        }
        let status = Torpor.run(["hibernate", "--rehearse"], environment)
        if status != 0 { throw ExitCode(status) }
        terminal.show("now hibernate with: systemctl hibernate, or: torpor hibernate")
    }
}
