// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux

/// The watchdogs that PID 1 of kernel B or C feeds, as long as there is hope.
///
/// One that kernel A armed runs on after the jump back, with kernel A's timeout and fresh, as whoever feeds it there expects. One
/// that kernel B armed itself is disarmed before each try of the jump, as nobody in kernel A would feed it.
final class Watchdogs {
    private struct Fed {
        let watchdog: Watchdog
        /// Kernel A's timeout; nil for one that this kernel armed.
        let handedOverSeconds: Int?
    }

    private var fed: [Fed] = []
    private let log: KernelLog
    private let system: SystemFolders
    private let dev: String

    /// Seconds without a word after which a machine in which this kernel hangs restarts.
    static let seconds = 60

    private init(_ log: KernelLog, _ system: SystemFolders, _ dev: String) {
        self.log = log
        self.system = system
        self.dev = dev
    }

    /// Kernel B's: those that kernel A armed or, if there are none, one of the machine's.
    /// - Parameters:
    ///   - handedOver: what `torpor.watchdog=` says.
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

    /// Kernel C's: none if the kernel itself feeds what the firmware armed, until somebody opens it (6.12,
    /// drivers/watchdog/watchdog_dev.c, `watchdog_need_worker`); else those that can be disarmed again.
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
                    log.error("kernel A's watchdog \(watchdog.identity) is not here, and may restart the machine")
                }
                continue
            }
            var number: Int? = watchdog.number
            if !watchdog.parent.isEmpty, !devices.isEmpty { number = watchdog.find(in: devices)?.number }
            guard let number else {
                log.error("kernel A's watchdog on \(watchdog.parent) is not here, and may restart the machine")
                continue
            }
            open(number, handedOverSeconds: seconds)
        }
        // The kernel refuses a jump only after it has tried for this long to freeze processes, and the watchdog counts meanwhile.
        if let least = fed.compactMap({ $0.handedOverSeconds }).min() {
            let milliseconds = min(20_000, max(1000, least * 300))
            try? File("\(system.sys)/power/pm_freeze_timeout", .write).write(line: "\(milliseconds)")
        }
    }

    private func armOne() {
        let devices = WatchdogDevice.all(system.sys)
        // The first one has a name without a number, which is there without sysfs too.
        guard !devices.isEmpty else { return openOwn("\(dev)/watchdog") }
        for device in devices where device.hasNoWayOut != true {
            openOwn("\(dev)/watchdog\(device.number)")
            if !fed.isEmpty { return }
        }
    }

    private func openOwn(_ path: String) {
        guard exists(path), let watchdog = try? Watchdog(path, seconds: Watchdogs.seconds) else { return }
        fed.append(Fed(watchdog: watchdog, handedOverSeconds: nil))
        log.debug("the watchdog restarts the machine after \(watchdog.seconds) s without a word")
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
                "feeding the watchdog \(path), which restarts the machine after \(watchdog.seconds) s without a word")
        } catch {
            log.error("a watchdog may restart the machine: \(error.description)")
        }
    }

    /// Says that there is hope.
    func keepAlive() { for item in fed { item.watchdog.keepAlive() } }

    /// Waits, and feeds them meanwhile.
    func wait(milliseconds: Int) {
        keepAlive()
        for _ in 0..<max(0, milliseconds / 500) {
            sleep(milliseconds: 500)
            keepAlive()
        }
    }

    /// Leaves them as kernel A expects them.
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

    /// Goes on with them.
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

    /// What a child process does first.
    func closeInChild() { for item in fed { item.watchdog.closeInChild() } }

    /// Disarms those that can be: the machine ends, or another program goes on.
    func letGo() {
        for item in fed { item.watchdog.disarm() }
        fed = []
    }
}
