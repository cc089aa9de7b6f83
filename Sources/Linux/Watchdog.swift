// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux

/// An open watchdog device. An armed watchdog restarts the machine unless a program pings it within the timeout
/// (Documentation/watchdog/watchdog-api.rst).
public final class Watchdog {
    private let path: String
    /// -1 while the device is closed.
    private var descriptor: CInt = -1
    /// The timeout in seconds: the device's own, if it did not accept the requested one.
    public private(set) var seconds = 0

    /// Arms the watchdog, or takes over an armed one.
    /// - Throws: if the device cannot be opened, for example because another program has it open: only one can.
    public init(_ path: String, seconds: Int) throws(Failure) {
        self.path = path
        try open()
        setTimeout(seconds: seconds)
    }

    deinit { closeFile() }

    private func open() throws(Failure) {
        descriptor = try retrying("open", path) { torpor_open(path, O_RDWR | O_CLOEXEC | O_NOCTTY, 0) }
    }

    private func closeFile() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }

    /// Sets the timeout. A device with a fixed timeout keeps it.
    public func setTimeout(seconds wanted: Int) {
        var timeout = CInt(clamping: wanted)
        if torpor_watchdog_timeout(descriptor, &timeout) != 0 {
            timeout = 0
            if torpor_watchdog_get_timeout(descriptor, &timeout) != 0 || timeout <= 0 {
                timeout = CInt(clamping: wanted)
            }
        }
        seconds = Int(timeout)
    }

    /// Pings the watchdog.
    public func keepAlive() { write(UInt8(ascii: ".")) }

    /// Disarms the watchdog if it can be disarmed. The device stays open if the driver can disarm an open device.
    public func disarm() {
        guard torpor_watchdog_enable(descriptor, 0) != 0 else { return }
        // The magic letter: with it, closing the device disarms the watchdog.
        write(UInt8(ascii: "V"))
        closeFile()
    }

    /// Arms the watchdog again.
    public func arm() throws(Failure) {
        if descriptor < 0 { try open() }
        _ = torpor_watchdog_enable(descriptor, 1)
        setTimeout(seconds: seconds)
        keepAlive()
    }

    /// Closes the device in a child process. A child that hangs would keep it open, so that nobody could arm the watchdog
    /// again. The parent's descriptor stays open.
    public func closeInChild() { closeFile() }

    private func write(_ letter: UInt8) {
        var letter = letter
        if descriptor >= 0 { _ = CLinux.write(descriptor, &letter, 1) }
    }
}

/// A watchdog device in sysfs (Documentation/ABI/testing/sysfs-class-watchdog).
public struct WatchdogDevice: Equatable, Sendable {
    /// Whether this is /dev/watchdog of a driver with the old interface, a miscellaneous device (6.12, drivers/watchdog/pcwd.c,
    /// drivers/char/ipmi/ipmi_watchdog.c). It has no number, and sysfs shows nothing about it but the device.
    public var isMiscellaneous = false
    /// N of /dev/watchdogN.
    public var number: Int
    /// The name of its parent device, which is the same in every kernel of this machine: `0000:00:1f.0`. Empty if it has none,
    /// as a software watchdog.
    public var parent: String
    /// The name that its driver gives it.
    public var identity: String
    /// Whether it is armed; nil if the kernel does not show it (CONFIG_WATCHDOG_SYSFS).
    public var isArmed: Bool?
    /// Its timeout; 0 if the kernel does not show it.
    public var seconds: Int
    /// Whether it cannot be disarmed (`nowayout`); nil if the kernel does not show it.
    public var hasNoWayOut: Bool?
    /// The module of its driver; nil if the driver is built in or unknown.
    public var module: String?

    /// All watchdogs of this machine, in the order of their numbers.
    /// - Parameter sys: the mount point of sysfs.
    public static func all(_ sys: String = "/sys") -> [WatchdogDevice] {
        let names = (try? listDirectory("\(sys)/class/watchdog")) ?? []
        return names.compactMap { name in
            guard name.utf8.starts(with: "watchdog".utf8),
                let number = parseNumber(String(decoding: name.utf8.dropFirst(8), as: UTF8.self)).flatMap({
                    Int(exactly: $0)
                })
            else { return nil }
            let folder = "\(sys)/class/watchdog/\(name)"
            func text(_ file: String) -> String? { (try? readText("\(folder)/\(file)")).map { trimmed($0) } }
            let module = readLink("\(folder)/device/driver/module").map { lastComponent($0) }
            return WatchdogDevice(
                number: number, parent: readLink("\(folder)/device").map { lastComponent($0) } ?? "",
                identity: text("identity") ?? "", isArmed: text("state").map { $0.utf8.elementsEqual("active".utf8) },
                seconds: text("timeout").flatMap { parseNumber($0) }.flatMap { Int(exactly: $0) } ?? 0,
                hasNoWayOut: text("nowayout").map { !$0.utf8.elementsEqual("0".utf8) },
                // A built-in module has no `initstate` (kernel/module/sysfs.c).
                module: module.flatMap { exists("\(sys)/module/\($0)/initstate") ? $0 : nil })
        }.sorted { $0.number < $1.number }
    }

    /// The watchdog of a driver with the old interface; nil if there is none.
    ///
    /// The first device of the class also has a miscellaneous device, with the same parent (6.12,
    /// drivers/watchdog/watchdog_dev.c, `watchdog_cdev_register`). If the miscellaneous device has no parent and neither has
    /// the first device of the class, the two are taken for the same.
    /// - Parameter devices: the devices of the class.
    public static func miscellaneous(_ sys: String = "/sys", besides devices: [WatchdogDevice]) -> WatchdogDevice? {
        let folder = "\(sys)/class/misc/watchdog"
        guard exists(folder) else { return nil }
        let parent = readLink("\(folder)/device").map { lastComponent($0) } ?? ""
        if devices.contains(where: { $0.number == 0 && $0.parent.utf8.elementsEqual(parent.utf8) }) { return nil }
        let module = miscellaneousModules.first { exists("\(sys)/module/\($0)/initstate") }
        return WatchdogDevice(
            isMiscellaneous: true, number: 0, parent: parent, identity: module ?? "", isArmed: nil, seconds: 0,
            hasNoWayOut: nil, module: module)
    }

    /// Drivers with the old interface that a PC may have (6.12, drivers/watchdog: those that use WATCHDOG_MINOR).
    private static let miscellaneousModules = [
        "ipmi_watchdog", "acquirewdt", "advantechwdt", "alim1535_wdt", "alim7101_wdt", "cpu5wdt", "eurotechwdt",
        "geodewdt",
        "ib700wdt", "ibmasr", "it8712f_wdt", "machzwd", "mixcomwd", "nv_tco", "pc87413_wdt", "pcwd", "pcwd_pci",
        "pcwd_usb",
        "rdc321x_wdt", "sbc60xxwdt", "sbc7240_wdt", "sbc8360", "sbc_epx_c3", "sbc_fitpc2_wdt", "sc1200wdt", "sc520_wdt",
        "sch311x_wdt", "scx200_wdt", "smsc37b787_wdt", "w83877f_wdt", "w83977f_wdt", "wafer5823wdt", "wdt", "wdt_pci",
    ]
}
