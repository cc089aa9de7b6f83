// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux

/// The watchdogs that kernel A has armed. They keep counting while kernel B runs, so kernel B has to feed them.
struct WatchdogSurvey {
    let armed: [WatchdogDevice]

    /// The identity of the software watchdog, which stops together with its kernel (6.12, drivers/watchdog/softdog.c).
    private static let software = "Software Watchdog"

    init(_ system: SystemFolders = SystemFolders()) {
        var devices = WatchdogDevice.all(system.sys)
        let other = WatchdogDevice.miscellaneous(system.sys, besides: devices)
        if let other { devices.append(other) }
        // Without CONFIG_WATCHDOG_SYSFS, a watchdog counts as armed if a process has it open. Number 0 has a second name.
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

    /// The armed watchdogs, as kernel B's command line names them.
    var handovers: [WatchdogHandover] {
        armed.map { device in
            WatchdogHandover(
                number: device.number, seconds: device.seconds,
                parent: device.isMiscellaneous ? WatchdogHandover.miscellaneous : device.parent,
                identity: device.identity)
        }
    }

    /// Seconds that may pass from the jump until kernel B feeds the watchdog for the first time. Before the jump, half of the
    /// watchdog's timeout may have passed already.
    private static let startSeconds = 20

    /// Refuses an armed watchdog whose driver kernel B does not have: the watchdog would restart the machine while kernel B
    /// saves the memory.
    /// - Parameters:
    ///   - isOwnKernel: whether kernel B is the running kernel, so that it lacks the drivers that are modules here.
    ///   - modules: the modules of rootfs.gz.
    func check(isOwnKernel: Bool, modules: ModuleList, _ findings: inout Findings) throws(Failure) {
        for device in armed {
            let name =
                (device.isMiscellaneous ? "/dev/watchdog" : "/dev/watchdog\(device.number)")
                + (device.identity.isEmpty ? "" : " (\(device.identity.utf8.printable))")
            let disarming = "disarm it (with systemd: RuntimeWatchdogSec=off, then systemctl daemon-reexec)"
            if let module = device.module, !modules.contains(module) {
                guard !isOwnKernel else {
                    throw Failure(
                        "hibernate", "",
                        "\(name) is armed, and its driver \(module) is a module that rootfs.gz does not have: the watchdog "
                            + "would restart the machine while kernel B saves the memory",
                        remedy: "build rootfs.gz with mkinitramfs.sh --kernel-version, or \(disarming)")
                }
                findings.warn(
                    "\(name) is armed: if kernel B does not have its driver \(module) built in, the watchdog restarts the "
                        + "machine while kernel B saves the memory",
                    remedy: disarming)
            } else if device.parent.isEmpty || device.isMiscellaneous {
                findings.warn(
                    "\(name) is armed, and torpor cannot check whether kernel B has its driver: without the driver, the "
                        + "watchdog restarts the machine while kernel B saves the memory", remedy: disarming)
            }
            if device.seconds > 0, device.seconds < 2 * WatchdogSurvey.startSeconds {
                findings.warn(
                    "\(name) restarts the machine after \(device.seconds) s, and the start of kernel B may take that long",
                    remedy: "set a longer timeout (with systemd: RuntimeWatchdogSec=60)")
            }
        }
    }
}
