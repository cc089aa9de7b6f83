import Basics
import Linux

/// The root file system that the kernel command line names, and the init on it.
struct RootFileSystem {
    private let commandLine: KernelCommandLine
    private static let mountPoint = "/root"

    init(_ commandLine: KernelCommandLine) { self.commandLine = commandLine }

    /// Waits for the device; nothing is mounted.
    /// - Parameter isDelayed: whether `rootdelay=` is waited for first.
    /// - Returns: its path, and the type of the file system on it.
    func find(_ state: ChildState, isDelayed: Bool = true) throws(Failure) -> (path: String, type: String) {
        guard let text = commandLine.value("root"), let name = DeviceName(text) else {
            throw Failure(
                "mount", "the root file system", "root= names no device",
                remedy: "use a path, UUID=, LABEL=, PARTUUID= or PARTLABEL=")
        }
        if isDelayed, let delay = commandLine.value("rootdelay").flatMap({ parseNumber($0) }) {
            for _ in 0..<min(delay, 3600) {
                sleep(milliseconds: 1000)
                state.beat()
            }
        }
        let catalog = DeviceCatalog { path in
            state.activity = "reading \(path)"
            state.beat()
        }
        let seconds = commandLine.contains("rootwait") ? nil : Settings.namedDeviceSeconds
        let path = try catalog.wait(for: name, seconds: seconds) { state.beat() }[0]
        var type = commandLine.value("rootfstype")
        if type == nil {
            try catalog.refresh()
            type = catalog.entry(at: path)?.content.type
        }
        guard let type else {
            throw Failure("mount", path, "no file system is known on it", remedy: "name one with rootfstype=")
        }
        return (path, type)
    }

    /// Waits for the device and mounts it.
    func mount(_ state: ChildState, isDelayed: Bool = true) throws(Failure) {
        let (path, type) = try find(state, isDelayed: isDelayed)
        // As in the kernel, the last of ro and rw counts, and ro is what no word means.
        let isWritable = commandLine.words.last { $0 == "ro" || $0 == "rw" } == "rw"
        try Mount(
            path, on: RootFileSystem.mountPoint, type: type, flags: isWritable ? 0 : Mount.readOnly,
            data: commandLine.value("rootflags") ?? ""
        ).perform()
    }

    /// Runs the init of the mounted file system in this process's place; only comes back by throwing.
    func runInit(_ log: KernelLog) throws(Failure) -> Never {
        let program = try findInit()
        log.notice("running \(program) of \(commandLine.value("root") ?? "")")
        try switchRoot(to: RootFileSystem.mountPoint, program: program)
    }

    /// The program that `init=` names, or else the first of those that the kernel itself tries (init/main.c).
    private func findInit() throws(Failure) -> String {
        let candidates = commandLine.value("init").map { [$0] } ?? ["/sbin/init", "/etc/init", "/bin/init", "/bin/sh"]
        for program in candidates
        where isSymbolicLink(RootFileSystem.mountPoint + program)
            || isExecutable(RootFileSystem.mountPoint + program)
        { return program }
        throw Failure("run", candidates[0], "it is not on the root file system", remedy: "name one with init=")
    }
}
