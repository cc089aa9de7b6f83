// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The watchdogs that are armed in kernel A. They go on counting while kernel B runs, so it has to feed them.
struct WatchdogSurvey {
    let armed: [WatchdogDevice]

    /// A watchdog that is software only stops with the kernel that it is part of (drivers/watchdog/softdog.c).
    private static let software = "Software Watchdog"

    init(_ system: SystemFolders = SystemFolders()) {
        var devices = WatchdogDevice.all(system.sys)
        let other = WatchdogDevice.miscellaneous(system.sys, besides: devices)
        if let other { devices.append(other) }
        // Without CONFIG_WATCHDOG_SYSFS only a process that has it open shows that one is armed. Number 0 has a second name.
        if devices.contains(where: { $0.isArmed == nil }) {
            let table = ProcessTable(system.proc)
            let paths = Set(
                table.processes.flatMap { table.files(of: $0) }.filter { $0.utf8.starts(with: "/dev/watchdog".utf8) })
            for number in devices.indices where devices[number].isArmed == nil {
                let device = devices[number].number
                let hasSecondName = device == 0 && (other == nil || devices[number].isMiscellaneous)
                devices[number].isArmed =
                    !devices[number].isMiscellaneous && paths.contains("/dev/watchdog\(device)")
                    || hasSecondName && paths.contains("/dev/watchdog")
            }
        }
        armed = devices.filter {
            $0.isArmed == true && !($0.parent.isEmpty && $0.identity.utf8.elementsEqual(WatchdogSurvey.software.utf8))
        }
    }

    /// The armed watchdogs, for kernel B.
    var handovers: [WatchdogHandover] {
        armed.map { device in
            WatchdogHandover(
                number: device.number, seconds: device.seconds,
                parent: device.isMiscellaneous ? WatchdogHandover.miscellaneous : device.parent,
                identity: device.identity)
        }
    }

    /// Seconds that the jump and kernel B's start may take until kernel B feeds the watchdog; whoever feeds it in kernel A does so
    /// when half of its time is over.
    private static let startSeconds = 20

    /// Refuses a watchdog whose driver kernel B will not have: it would restart the machine while the memory is being saved.
    /// - Parameter isOwnKernel: whether kernel B is the kernel that runs now, and so will not have what is a module here.
    func check(isOwnKernel: Bool, _ findings: inout Findings) throws(Failure) {
        for device in armed {
            let name =
                (device.isMiscellaneous ? "/dev/watchdog" : "/dev/watchdog\(device.number)")
                + (device.identity.isEmpty ? "" : " (\(device.identity.utf8.printable))")
            let disarming = "disarm it (with systemd: RuntimeWatchdogSec=off, then systemctl daemon-reexec)"
            if let module = device.module {
                guard !isOwnKernel else {
                    throw Failure(
                        "hibernate", "",
                        "\(name) is armed, and its driver \(module) is a module, which kernel B does not have: it would restart the "
                            + "machine while the memory is being saved",
                        remedy: "\(disarming), or use a kernel that has the driver built in")
                }
                findings.warn(
                    "\(name) is armed, and if kernel B does not have its driver \(module) built in, the machine restarts while the memory "
                        + "is being saved",
                    remedy: disarming)
            } else if device.parent.isEmpty || device.isMiscellaneous {
                findings.warn(
                    "\(name) is armed, and it cannot be seen whether kernel B has its driver: without it the machine restarts while the "
                        + "memory is being saved", remedy: disarming)
            }
            if device.seconds > 0, device.seconds < 2 * WatchdogSurvey.startSeconds {
                findings.warn(
                    "\(name) restarts the machine after \(device.seconds) s, and jumping into kernel B may take that long",
                    remedy: "give it a longer time (with systemd: RuntimeWatchdogSec=60)")
            }
        }
    }
}
