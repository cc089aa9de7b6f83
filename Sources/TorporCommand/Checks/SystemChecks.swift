// SPDX-License-Identifier: Apache-2.0
import Basics
import Hibernation

/// Checks whether the system around Torpor is set up: settings, initramfs, boot entry, systemd. `torpor hibernate` works
/// without most of it, so a lack is a warning.
struct SystemChecks {
    let environment: CommandEnvironment
    /// What `torpor hibernate` would do.
    let plan: Hibernate
    /// Whether the settings want a direct start.
    let wantsDirectStart: Bool

    private var boot: BootSystem { environment.boot }
    private static let setUp = "run torpor setup DEVICE"
    /// How long another program may take.
    private static let milliseconds = 30_000

    func add(to list: inout Checklist) {
        list.add(settings)
        list.add(ordinaryStart)
        if wantsDirectStart {
            list.check("direct start") { (_) throws(Failure) in
                _ = try DirectStart(boot, plan)
                return "the boot entry starts this kernel and rootfs.gz"
            }
        }
        guard boot.exists("/run/systemd/system") else { return }
        let service = service
        list.add(service)
        if service.mark == .ok { list.add(logind) }
    }

    private var settings: Requirement {
        let name = "settings", path = ConfigurationFile.standardPath
        guard boot.exists(path) else {
            return Requirement(name, .warning, "there is no \(path)", remedy: SystemChecks.setUp)
        }
        // They were read before this check began, so they are in order.
        let device = (try? environment.configuration.read())?.value("device")
        return Requirement(name, .ok, path + (device.map { " names \(printable($0))" } ?? ""))
    }

    // MARK: Initramfs

    /// Whether the initramfs of the running kernel resumes a session.
    private var ordinaryStart: Requirement {
        let name = "resume at an ordinary start"
        guard let path = boot.first(of: initramfsPaths) else {
            return Requirement(
                name, .warning, "the initramfs of the running kernel was not found, so it was not looked into",
                remedy: "see /usr/share/doc/torpor/docs/boot.md")
        }
        let remedy = "build it again: torpor setup does that"
        for lister in ["lsinitramfs", "lsinitrd", "lsinitcpio"] {
            guard let program = boot.program(lister) else { continue }
            let run = Program(program, [path])
            guard let result = try? environment.programs.run(run, milliseconds: SystemChecks.milliseconds),
                result.isSuccess
            else { continue }
            // The program that is run lists a file a line, some with their permissions in front.
            let hasResume = result.output.split(separator: "\n").contains { $0.hasSuffix("usr/bin/torpor-resume") }
            return hasResume
                ? Requirement(name, .ok, "\(path) has torpor-resume")
                : Requirement(name, .warning, "\(path) has no torpor-resume", remedy: remedy)
        }
        return Requirement(name, .warning, "\(path) could not be looked into", remedy: remedy)
    }

    /// Where distributions put the initramfs of a kernel: Debian, Fedora and Arch.
    private var initramfsPaths: [String] {
        let release = environment.kernelRelease
        let arch = boot.names(in: "/boot").filter {
            $0.hasPrefix("initramfs-linux") && $0.hasSuffix(".img") && !$0.contains("fallback")
        }
        return ["/boot/initrd.img-\(release)", "/boot/initramfs-\(release).img", "/boot/initrd-\(release)"]
            + arch.map { "/boot/\($0)" }
    }

    // MARK: systemd

    private var service: Requirement {
        let name = "systemctl hibernate"
        let command = Program("systemctl", ["show", "--property=ExecStart", "systemd-hibernate.service"])
        guard let result = try? environment.programs.run(command, milliseconds: SystemChecks.milliseconds),
            result.isSuccess
        else { return Requirement(name, .warning, "systemd does not answer", remedy: "run systemctl status") }
        return result.output.contains("/torpor ")
            ? Requirement(name, .ok, "it uses Torpor")
            : Requirement(
                name, .warning, "it uses the kernel's own hibernation, not Torpor", remedy: SystemChecks.setUp)
    }

    private var logind: Requirement {
        let name = "desktop's menu"
        let command = Program(
            "busctl",
            [
                "call", "org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager",
                "CanHibernate",
            ])
        guard let result = try? environment.programs.run(command, milliseconds: SystemChecks.milliseconds),
            result.isSuccess
        else {
            return Requirement(name, .warning, "logind does not answer", remedy: "see systemctl status systemd-logind")
        }
        // An answer is `s "yes"`, or with na, no or challenge in place of yes.
        let answer = result.output.split(separator: "\"").dropFirst().first.map(String.init) ?? ""
        return ["yes", "challenge"].contains(answer)
            ? Requirement(name, .ok, "logind offers hibernation")
            : Requirement(
                name, .warning, "logind does not offer hibernation (it answers \(printable(answer)))",
                remedy: "see /usr/share/doc/torpor/docs/systemd.md for what it looks at")
    }
}
