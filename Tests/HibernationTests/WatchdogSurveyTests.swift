// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux
import Testing

@testable import Hibernation

@Suite struct WatchdogSurveyTests {
    private func refusal(_ system: FakeSystem, isOwnKernel: Bool = true, modules: ModuleList = .none)
        -> (Failure?, Findings)
    {
        var findings = Findings()
        do throws(Failure) {
            try WatchdogSurvey(system.folders).check(isOwnKernel: isOwnKernel, modules: modules, &findings)
        } catch {
            return (error, findings)
        }
        return (nil, findings)
    }

    /// The parameter that kernel B gets; nil if there is none.
    private func parameter(_ system: FakeSystem) -> String? {
        let line = KernelBCommandLine(
            device: .path("/dev/x"), session: .zero, report: Report.Place(address: 0x1000, key: [1]),
            watchdogs: WatchdogSurvey(system.folders).handovers, backupEnd: 128 << 20)
        return KernelCommandLine(line.text).parameters.first { $0.hasPrefix("torpor.watchdog=") }
    }

    @Test func handsOverArmedWatchdogs() throws {
        let system = try FakeSystem()
        #expect(parameter(system) == nil)
        try system.addWatchdog(0)
        #expect(parameter(system) == nil)
        try system.addWatchdog(1, state: "active", seconds: 120, nowayout: 1, parent: "iTCO_wdt.1.auto")
        try system.addWatchdog(10, state: "active", seconds: 60, identity: "Software Watchdog", parent: nil)
        try system.addWatchdog(2, state: "active", seconds: 45, identity: "W83627HF Watchdog", parent: nil)
        #expect(parameter(system) == "torpor.watchdog=1:120:iTCO_wdt.1.auto/i6300ESB_timer,2:45")
    }

    /// Drivers with the old interface are no part of the class.
    @Test func findsWatchdogsOfTheOldInterface() throws {
        let system = try FakeSystem()
        try system.make("sys/class/misc/watchdog")
        try system.addProcess(1, "watchdog")
        #expect(parameter(system) == nil, "nobody has it open")
        try system.link("proc/1/fd/3", "/dev/watchdog")
        #expect(parameter(system) == "torpor.watchdog=0:0:misc")
        let (unknown, findings) = refusal(system)
        #expect(unknown == nil && findings.warnings.count == 1)
        #expect(findings.warnings.first?.text.hasPrefix("/dev/watchdog is armed") == true)
        // Another one of the class is not the one that is open.
        try system.addWatchdog(0, state: nil)
        #expect(WatchdogSurvey(system.folders).armed.map { $0.isMiscellaneous } == [true])
        try system.write("sys/module/ipmi_watchdog/initstate", "live\n")
        let failure = refusal(system).0
        #expect(failure?.reason.contains("/dev/watchdog (ipmi_watchdog) is armed") == true)
        #expect(failure?.reason.contains("ipmi_watchdog is a module") == true)
        // The class's first device has that name as well.
        try system.link("sys/class/misc/watchdog/device", "\(system.root)/sys/devices/0000:00:05.0")
        #expect(WatchdogSurvey(system.folders).armed.map { $0.isMiscellaneous } == [false])
    }

    /// A kernel without CONFIG_WATCHDOG_SYSFS shows no state, but who has it open.
    @Test func findsTheProcessThatFeedsItWithoutSysfs() throws {
        for (path, isArmed) in [("/dev/watchdog0", true), ("/dev/watchdog", true), ("/dev/watchdog1", false)] {
            let system = try FakeSystem()
            try system.addWatchdog(0, state: nil)
            try system.addProcess(1, "systemd")
            #expect(parameter(system) == nil)
            try system.link("proc/1/fd/7", path)
            #expect(parameter(system) == (isArmed ? "torpor.watchdog=0:0:0000:00:05.0" : nil))
        }
    }

    @Test func refusesADriverThatKernelBDoesNotHave() throws {
        let system = try FakeSystem()
        try system.addWatchdog(0, module: "i6300esb")
        #expect(refusal(system).0 == nil, "it is not armed")
        try system.remove("sys/class/watchdog/watchdog0")
        try system.remove("sys/devices")
        try system.addWatchdog(0, state: "active", seconds: 60, module: "i6300esb")
        let failure = refusal(system).0
        #expect(failure?.reason.contains("its driver i6300esb is a module that rootfs.gz does not have") == true)
        #expect(failure?.remedy?.contains("RuntimeWatchdogSec=off") == true)
        // In rootfs.gz it is as good as built in.
        let (inRootfs, nothing) = refusal(system, modules: try ModuleList("kernel 1\n/lib/modules/1/i6300esb.ko\n"))
        #expect(inRootfs == nil && nothing.warnings.isEmpty)
        // Another kernel may have it.
        let (other, findings) = refusal(system, isOwnKernel: false)
        #expect(other == nil && findings.warnings.count == 1)
        // What is built in has no state.
        try system.remove("sys/module/i6300esb/initstate")
        let (builtIn, none) = refusal(system)
        #expect(builtIn == nil && none.warnings.isEmpty)
    }

    @Test(arguments: [(10, 1), (39, 1), (40, 0), (0, 0)]) func warnsOfAShortTime(seconds: Int, warnings: Int) throws {
        let system = try FakeSystem()
        try system.addWatchdog(0, state: "active", seconds: seconds)
        #expect(refusal(system).1.warnings.count == warnings)
    }
}
