// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import BlockStore
import Console
import Linux

/// The root file system that the kernel command line names, and its init.
struct RootFileSystem {
    private let commandLine: KernelCommandLine
    private static let mountPoint = "/root"

    init(_ commandLine: KernelCommandLine) { self.commandLine = commandLine }

    /// Waits for the device of `root=`; mounts nothing.
    /// - Parameter isDelayed: whether to wait the seconds of `rootdelay=` first.
    /// - Returns: the device's path, and the types of file system to try, in order.
    /// - Throws: if `root=` names no device, if the device does not appear, or if this kernel can mount none of the types.
    func find(_ state: ChildState, isDelayed: Bool = true) throws(Failure) -> (path: String, types: [String]) {
        guard let text = commandLine.value("root"), let name = DeviceName(text) else {
            throw Failure(
                "mount", "the root file system", "root= does not name a device",
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
        let seconds = commandLine.contains("rootwait") ? nil : KernelParameters.namedDeviceSeconds
        let path = try catalog.wait(for: name, seconds: seconds) { state.beat() }[0]
        var types = RootFileSystem.types(commandLine.value("rootfstype") ?? "")
        if types.isEmpty {
            try catalog.refresh()
            if let type = catalog.entry(at: path)?.content.type { types = [type] }
        }
        guard !types.isEmpty else { throw RootFileSystem.unknownType(path) }
        let known = try? readText("/proc/filesystems")
        return (
            path, try RootFileSystem.mountable(types, path, known: known, canLoadModules: RootFileSystem.canLoadModules)
        )
    }

    /// Whether the kernel can load a file system's driver as a module: `kernel.modprobe` names a program
    /// (Documentation/admin-guide/sysctl/kernel.rst), and `mkinitramfs.sh --add` has added it to the initramfs.
    private static var canLoadModules: Bool {
        guard let path = try? readText("/proc/sys/kernel/modprobe") else { return false }
        return isExecutable(trimmed(path))
    }

    /// The types that this kernel can mount.
    /// - Parameter known: the text of /proc/filesystems; nil if that cannot be read.
    /// - Throws: if it can mount none of them: a session must not be dropped for such a root file system.
    static func mountable(
        _ types: [String], _ path: String, known: String?, canLoadModules: Bool
    ) throws(Failure) -> [String] {
        guard let known, !canLoadModules else { return types }
        // A line is `nodev\tTYPE` or `\tTYPE` (fs/filesystems.c, Linux 6.12).
        let names = known.split(separator: "\n").map { line in
            line.split(separator: "\t", omittingEmptySubsequences: false).last.map { String($0) } ?? ""
        }
        let result = types.filter { type in names.contains { $0.utf8.elementsEqual(type.utf8) } }
        guard !result.isEmpty else {
            throw Failure(
                "mount", path, "this kernel has no driver for \(types.joined(separator: ", "))",
                remedy: "name the root file system with root=, or build its driver into the kernel")
        }
        return result
    }

    /// Waits for the device and mounts it.
    func mount(_ state: ChildState, isDelayed: Bool = true) throws(Failure) {
        let (path, types) = try find(state, isDelayed: isDelayed)
        // As in the kernel, the last of ro and rw counts, and ro is the default.
        let isWritable = commandLine.parameters.last { $0 == "ro" || $0 == "rw" } == "rw"
        let data = commandLine.value("rootflags") ?? ""
        try RootFileSystem.tryInOrder(types, path) { (type) throws(Failure) in
            try Mount(
                path, on: RootFileSystem.mountPoint, type: type, flags: isWritable ? 0 : Mount.readOnly, data: data
            ).perform()
        }
    }

    /// The types that `rootfstype=` names: a list with commas (init/do_mounts.c, `split_fs_names`).
    static func types(_ list: String) -> [String] { list.split(separator: ",").map { String($0) } }

    /// Mounts the file system as the first type that works.
    /// - Throws: if none works, with the reason for each type.
    static func tryInOrder(
        _ types: [String], _ path: String, _ mount: (String) throws(Failure) -> Void
    ) throws(Failure) {
        var failures: [String] = []
        for type in types {
            do throws(Failure) { return try mount(type) } catch {
                if types.count == 1 { throw error }
                failures.append("as \(type): \(error.reason)")
            }
        }
        if failures.isEmpty { throw unknownType(path) }
        throw Failure(
            "mount", path, failures.joined(separator: ", "), remedy: "name its type with rootfstype=")
    }

    private static func unknownType(_ path: String) -> Failure {
        Failure("mount", path, "its file system was not recognized", remedy: "name its type with rootfstype=")
    }

    /// Runs the init of the mounted file system in this process; returns only by throwing.
    func runInit(_ log: KernelLog) throws(Failure) -> Never {
        let program = try findInit()
        log.notice("running \(program) of \(commandLine.value("root") ?? "")")
        try switchRoot(to: RootFileSystem.mountPoint, program: program)
    }

    /// The program that `init=` names; without it, the first existing one of those that the kernel tries (init/main.c).
    private func findInit() throws(Failure) -> String {
        let candidates = commandLine.value("init").map { [$0] } ?? ["/sbin/init", "/etc/init", "/bin/init", "/bin/sh"]
        for program in candidates
        where isSymbolicLink(RootFileSystem.mountPoint + program)
            || isExecutable(RootFileSystem.mountPoint + program)
        { return program }
        throw Failure(
            "run", candidates[0], "the root file system has no such program", remedy: "name its init with init=")
    }
}
