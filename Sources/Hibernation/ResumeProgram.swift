// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Console
import Linux

/// `torpor-resume`: looks for a session in the initramfs of an ordinary start, before any file system is mounted, and starts
/// kernel C for it. It is the same program as /init, and not PID 1.
///
/// Returns only if nothing is to be resumed, or if the start is to go on without the session.
/// - Parameter arguments: the arguments, without the program's name.
func runResumeProgram(_ arguments: [String]) -> Never {
    let options: ResumeOptions
    do throws(Failure) { options = try ResumeOptions(arguments) } catch {
        writeError("torpor-resume: \(error)\n\(ResumeOptions.usage)\n")
        exitProcess(2)
    }
    if options.isHelp {
        writeError("\(ResumeOptions.usage)\n")
        exitProcess(0)
    }
    let commandLine = KernelCommandLine((try? readText("/proc/cmdline")) ?? "")
    var parameters = KernelParameters(commandLine, isInInitramfs: true)
    if parameters.isResumeForbidden { exitProcess(0) }
    do throws(Failure) { try requireInitramfs(mountEntries(try readText("/proc/self/mountinfo"))) } catch {
        writeError("torpor-resume: \(error)\n")
        exitProcess(1)
    }
    blockChildSignal()
    var log = KernelLog()
    log.isDebugging = parameters.isDebugging
    for problem in parameters.problems { log.error(problem) }
    parameters.device = parameters.device ?? options.device
    // The distribution has waited for the device.
    if commandLine.value(Parameter.wait.rawValue) == nil { parameters.waitSeconds = options.waitSeconds }
    RestoreRole(
        parameters: parameters, log: log, commandLine: commandLine, watchdogs: Watchdogs.none(log), start: .initramfs
    ).run()
}

/// Refuses a system that has left its initramfs: its file systems are in use, and a resume would damage them.
/// - Parameter mounts: the mounts of /proc/self/mountinfo.
func requireInitramfs(_ mounts: [MountEntry]) throws(Failure) {
    let types = ["rootfs", "tmpfs", "ramfs"]
    guard let root = mounts.last(where: { $0.target == "/" }),
        !types.contains(where: { $0.utf8.elementsEqual(root.type.utf8) })
    else { return }
    throw Failure(
        "resume", "", "\(root.user) is mounted, and a resume would damage it",
        remedy: "run torpor-resume in an initramfs, before the root file system is mounted")
}

/// The options of `torpor-resume`.
struct ResumeOptions {
    /// The hibernation partition; the kernel command line's `torpor.device=` goes before it.
    var device: DeviceName?
    /// Seconds to wait for the device.
    var waitSeconds = 0
    var isHelp = false

    static let usage = "usage: torpor-resume [--device NAME] [--wait SECONDS]"

    init(_ arguments: [String]) throws(Failure) {
        var rest = arguments[...]
        while let option = rest.popFirst() {
            if option.utf8.elementsEqual("--help".utf8) {
                isHelp = true
                continue
            }
            let isDevice = option.utf8.elementsEqual("--device".utf8)
            guard isDevice || option.utf8.elementsEqual("--wait".utf8) else {
                throw Failure("use", option.utf8.printable, "there is no such option")
            }
            guard let value = rest.popFirst() else { throw Failure("use", option, "its value is missing") }
            if isDevice {
                guard let name = DeviceName(value) else {
                    throw Failure(
                        "use", "--device \(value.utf8.printable)",
                        "the value must be a path, UUID=, LABEL=, PARTUUID= or PARTLABEL=")
                }
                device = name
            } else {
                guard let seconds = parseNumber(value), seconds <= 86400 else {
                    throw Failure(
                        "use", "--wait \(value.utf8.printable)", "the value must be a number of seconds up to 86400")
                }
                waitSeconds = Int(seconds)
            }
        }
    }
}
