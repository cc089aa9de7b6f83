// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux

/// The watchdogs that PID 1 of kernel B or C feeds while it works.
///
/// A watchdog that kernel A armed stays armed across the jump back, just fed and with kernel A's timeout, as its feeder in
/// kernel A expects. A watchdog that kernel B armed itself is disarmed before each attempt to jump, because nobody in kernel A
/// feeds it.
final class Watchdogs {
    private struct Fed {
        let watchdog: Watchdog
        /// Kernel A's timeout; nil if this kernel armed the watchdog itself.
        let handedOverSeconds: Int?
    }

    private var fed: [Fed] = []
    private let log: KernelLog
    private let system: SystemFolders
    /// The folder of the device nodes.
    private let dev: String

    /// The timeout, in seconds: if this kernel hangs for so long, the machine restarts.
    static let seconds = 60

    private init(_ log: KernelLog, _ system: SystemFolders, _ dev: String) {
        self.log = log
        self.system = system
        self.dev = dev
    }

    /// No watchdogs: the system that runs takes care of them itself.
    static func none(_ log: KernelLog) -> Watchdogs { Watchdogs(log, SystemFolders(), "/dev") }

    /// Opens kernel B's watchdogs: those that kernel A armed; if there are none, one of the machine's.
    /// - Parameters:
    ///   - handedOver: the watchdogs that `torpor.watchdog=` names.
    ///   - dev: the folder of the device nodes.
    static func inKernelB(
        _ handedOver: [WatchdogHandover], _ log: KernelLog, _ system: SystemFolders = SystemFolders(),
        dev: String = "/dev"
    ) -> Watchdogs {
        let watchdogs = Watchdogs(log, system, dev)
        watchdogs.takeOver(handedOver)
        if watchdogs.fed.isEmpty { watchdogs.armOne() }
        return watchdogs
    }

    /// Opens kernel C's watchdogs. There are none if the kernel itself feeds a watchdog that the firmware armed, which it does
    /// until somebody opens it (6.12, drivers/watchdog/watchdog_dev.c, `watchdog_need_worker`); else those that can be disarmed
    /// again.
    static func inKernelC(_ log: KernelLog, _ system: SystemFolders = SystemFolders(), dev: String = "/dev")
        -> Watchdogs
    {
        let watchdogs = Watchdogs(log, system, dev)
        func parameter(_ name: String) -> String? {
            (try? readText("\(system.sys)/module/watchdog/parameters/\(name)")).map { trimmed($0) }
        }
        let isFedByKernel = parameter("handle_boot_enabled").map { $0 == "Y" } ?? true
        let isFedForever = parameter("open_timeout").map { $0 == "0" } ?? true
        guard !isFedByKernel || !isFedForever else { return watchdogs }
        for device in WatchdogDevice.all(system.sys) where device.hasNoWayOut == false {
            watchdogs.open(device.number, handedOverSeconds: nil)
        }
        return watchdogs
    }

    private func takeOver(_ handedOver: [WatchdogHandover]) {
        let devices = handedOver.isEmpty ? [] : WatchdogDevice.all(system.sys)
        for watchdog in handedOver {
            let seconds = watchdog.seconds > 0 ? watchdog.seconds : Watchdogs.seconds
            if watchdog.parent.utf8.elementsEqual(WatchdogHandover.miscellaneous.utf8) {
                if WatchdogDevice.miscellaneous(system.sys, besides: devices) != nil {
                    open("\(dev)/watchdog", handedOverSeconds: seconds)
                } else {
                    log.error(
                        "kernel B does not find kernel A's watchdog \(watchdog.identity), which may restart the machine"
                    )
                }
                continue
            }
            var number: Int? = watchdog.number
            if !watchdog.parent.isEmpty, !devices.isEmpty { number = watchdog.find(in: devices)?.number }
            guard let number else {
                log.error(
                    "kernel B does not find kernel A's watchdog on \(watchdog.parent), which may restart the machine")
                continue
            }
            open(number, handedOverSeconds: seconds)
        }
        // A jump may fail because a process does not freeze, and nobody feeds the watchdog while the kernel waits for that. So
        // the kernel waits at most 30 % of the shortest timeout, between 1 and 20 s.
        if let least = fed.compactMap({ $0.handedOverSeconds }).min() {
            let milliseconds = min(20_000, max(1000, least * 300))
            try? File("\(system.sys)/power/pm_freeze_timeout", .write).write(line: "\(milliseconds)")
        }
    }

    private func armOne() {
        let devices = WatchdogDevice.all(system.sys)
        // The first watchdog also has a node without a number, which needs no sysfs.
        guard !devices.isEmpty else { return openOwn("\(dev)/watchdog") }
        for device in devices where device.hasNoWayOut != true {
            openOwn("\(dev)/watchdog\(device.number)")
            if !fed.isEmpty { return }
        }
    }

    private func openOwn(_ path: String) {
        guard exists(path), let watchdog = try? Watchdog(path, seconds: Watchdogs.seconds) else { return }
        fed.append(Fed(watchdog: watchdog, handedOverSeconds: nil))
        log.debug("armed a watchdog that restarts the machine if kernel B hangs for \(watchdog.seconds) s")
    }

    private func open(_ number: Int, handedOverSeconds: Int?) {
        let numbered = "\(dev)/watchdog\(number)"
        open(number == 0 && !exists(numbered) ? "\(dev)/watchdog" : numbered, handedOverSeconds: handedOverSeconds)
    }

    private func open(_ path: String, handedOverSeconds: Int?) {
        do throws(Failure) {
            let watchdog = try Watchdog(path, seconds: max(Watchdogs.seconds, handedOverSeconds ?? 0))
            fed.append(Fed(watchdog: watchdog, handedOverSeconds: handedOverSeconds))
            log.notice(
                "feeding the watchdog \(path), which restarts the machine if this kernel hangs for \(watchdog.seconds) s"
            )
        } catch {
            log.error("a watchdog may restart the machine: \(error.description)")
        }
    }

    /// Feeds all of them.
    func keepAlive() { for item in fed { item.watchdog.keepAlive() } }

    /// Waits, and feeds all of them meanwhile.
    func wait(milliseconds: Int) {
        keepAlive()
        for _ in 0..<max(0, milliseconds / 500) {
            sleep(milliseconds: 500)
            keepAlive()
        }
    }

    /// Prepares for a jump: gives kernel A's watchdogs their timeout back, and disarms the others.
    func prepareJump() {
        for item in fed {
            if let seconds = item.handedOverSeconds {
                item.watchdog.setTimeout(seconds: seconds)
                item.watchdog.keepAlive()
            } else {
                item.watchdog.disarm()
            }
        }
    }

    /// Arms all of them again after a jump that failed.
    func continueAfterFailedJump() {
        for item in fed {
            if let seconds = item.handedOverSeconds {
                item.watchdog.setTimeout(seconds: max(Watchdogs.seconds, seconds))
                item.watchdog.keepAlive()
            } else {
                do throws(Failure) { try item.watchdog.arm() } catch { log.error(error.description) }
            }
        }
    }

    /// Closes the devices in a child process: a child that hangs would keep them open, and nothing could arm them again.
    func closeInChild() { for item in fed { item.watchdog.closeInChild() } }

    /// Disarms those that can be disarmed, because the machine stops or another program takes over.
    func disarm() {
        for item in fed { item.watchdog.disarm() }
        fed = []
    }
}
