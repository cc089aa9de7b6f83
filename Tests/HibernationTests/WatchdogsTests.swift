// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Foundation
import Linux
import Testing

@testable import Hibernation

@Suite struct WatchdogHandoverTests {
    @Test func readsWhatItWrites() throws {
        for text in ["0:60", "1:30:0000:00:1f.0", "0:0:iTCO_wdt.1.auto", "0:9:0000:00:1f.0/iTCO_wdt", "0:0:misc/pcwd"] {
            #expect(WatchdogHandover(text)?.description == text)
        }
        let list = try #require(WatchdogHandover.list("0:60:0000:00:05.0,3:10"))
        #expect(list.map { $0.number } == [0, 3] && list.map { $0.seconds } == [60, 10])
        #expect(list.map { $0.parent } == ["0000:00:05.0", ""])
        #expect(WatchdogHandover(number: 1, seconds: 2, parent: "a b,c").description == "1:2")
        #expect(
            WatchdogHandover(number: 1, seconds: 2, parent: "a", identity: "b c,d/e").description == "1:2:a/b_c_d_e")
        for text in ["", "0", "0:", ":60", "x:60", "0:60,", "0:-1", "1024:60", "0:9999999999"] {
            #expect(WatchdogHandover.list(text) == nil, "\(text)")
        }
    }

    @Test func isAParameter() {
        let all = KernelParameters(KernelCommandLine("torpor.watchdog=0:60:0000:00:05.0,1:30 torpor.watchdog=2:10"))
        #expect(all.watchdogs.map { $0.number } == [0, 1, 2] && all.problems.isEmpty)
        #expect(KernelParameters(KernelCommandLine("torpor.watchdog=0")).problems.count == 1)
    }
}

@Suite struct WatchdogSurveyTests {
    private func refusal(_ system: FakeSystem, isOwnKernel: Bool = true) -> (Failure?, Findings) {
        var findings = Findings()
        do throws(Failure) { try WatchdogSurvey(system.folders).check(isOwnKernel: isOwnKernel, &findings) } catch {
            return (error, findings)
        }
        return (nil, findings)
    }

    /// The parameter that kernel B gets; nil if there is none.
    private func parameter(_ system: FakeSystem) -> String? {
        let line = KernelBCommandLine(
            device: .path("/dev/x"), session: .zero, report: Report.Place(address: 0x1000, key: [1]),
            watchdogs: WatchdogSurvey(system.folders).handovers, backupEnd: 128 << 20)
        return KernelCommandLine(line.text).words.first { $0.hasPrefix("torpor.watchdog=") }
    }

    @Test func handsOverWhatIsArmed() throws {
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
    @Test func findsWhoFeedsItWithoutSysfs() throws {
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
        #expect(failure?.reason.contains("its driver i6300esb is a module") == true)
        #expect(failure?.remedy?.contains("RuntimeWatchdogSec=off") == true)
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

@Suite(.serialized) struct WatchdogsTests {
    private let log = KernelLog(showsAll: false)

    /// A pipe is no watchdog, so that only a close could stop it: after `V` it would, after anything else it goes on.
    @Test func kernelBsOwnIsDisarmedForTheJumpAndArmedAgain() throws {
        let system = try FakeSystem()
        try system.addWatchdog(0, nowayout: 1)
        try system.addWatchdog(1)
        let said = try system.said(to: "watchdog1") {
            let watchdogs = Watchdogs.inKernelB([], log, system.folders, dev: system.dev)
            #expect(
                system.isOpen("dev/watchdog1") && !system.isOpen("dev/watchdog0"),
                "that one could not be disarmed again")
            watchdogs.keepAlive()
            watchdogs.prepareJump()
            watchdogs.continueAfterFailedJump()
            watchdogs.keepAlive()
            watchdogs.letGo()
        }
        #expect(said == ".V..V")
    }

    @Test func kernelAsIsFedAndLeftRunning() throws {
        let system = try FakeSystem()
        // Kernel B numbers them otherwise.
        try system.addWatchdog(0)
        try system.addWatchdog(1, nowayout: 1, parent: "0000:00:1f.0")
        try system.write("sys/power/pm_freeze_timeout", "20000\n")
        let handedOver = try #require(WatchdogHandover.list("0:10:0000:00:1f.0"))
        let said = try system.said(to: "watchdog1") {
            let watchdogs = Watchdogs.inKernelB(handedOver, log, system.folders, dev: system.dev)
            watchdogs.keepAlive()
            watchdogs.prepareJump()
            watchdogs.continueAfterFailedJump()
            watchdogs.prepareJump()
            #expect(system.isOpen("dev/watchdog1") && !system.isOpen("dev/watchdog0"))
        }
        #expect(said == "....", "never the letter that lets it stop")
        let timeout = try readText("\(system.root)/sys/power/pm_freeze_timeout")
        #expect(timeout.hasPrefix("3000"), "a jump that is refused must not take longer than the watchdog waits")
    }

    /// A platform device has the next free number, and kernel B may find others first.
    @Test(
        arguments: [
            ("0:60:iTCO_wdt.1.auto", "iTCO_wdt.0.auto", "x", true),
            ("0:60:iTCO_wdt.1.auto", "other.0.auto", "x", false),
            ("0:60:iTCO_wdt.1.auto", "iTCO_wdt", "x", false), ("0:60:a.1/The_dog", "b.1", "The dog", true),
            ("0:60:a.1/The_dog", "b.1", "Another", false), ("1:60:a.1/The_dog", "b.1", "The dog", false),
            ("0:60:a.1", "b.1", "", false),
        ])
    func kernelAsIsFoundUnderAnotherName(text: String, parent: String, identity: String, isFound: Bool) throws {
        let system = try FakeSystem()
        try system.addWatchdog(0, identity: identity, parent: parent)
        let handover = try #require(WatchdogHandover(text))
        let devices = WatchdogDevice.all(system.folders.sys)
        #expect((handover.find(in: devices)?.number == 0) == isFound)
    }

    @Test func twoOfAKindAreNotTakenForEachOther() throws {
        let system = try FakeSystem()
        for number in 0...1 { try system.addWatchdog(number, parent: "dog.\(number).auto") }
        let devices = WatchdogDevice.all(system.folders.sys)
        #expect(WatchdogHandover("0:60:dog.1.auto")?.find(in: devices)?.number == 1)
        #expect(WatchdogHandover("0:60:dog.2.auto")?.find(in: devices) == nil)
    }

    @Test func oneOfTheOldInterfaceIsFed() throws {
        let system = try FakeSystem()
        try system.addWatchdog(0)
        try system.make("sys/class/misc/watchdog")
        _ = mkfifo("\(system.dev)/watchdog", 0o600)
        let handedOver = try #require(WatchdogHandover.list("0:0:misc/pcwd"))
        let said = try system.said(to: "watchdog") {
            Watchdogs.inKernelB(handedOver, log, system.folders, dev: system.dev).keepAlive()
            #expect(!system.isOpen("dev/watchdog0"))
        }
        #expect(said == ".")
    }

    @Test func armsItsOwnIfKernelAsIsNotThere() throws {
        let system = try FakeSystem()
        try system.addWatchdog(0)
        let handedOver = try #require(WatchdogHandover.list("0:10:0000:00:1f.0"))
        let said = try system.said(to: "watchdog0") {
            let watchdogs = Watchdogs.inKernelB(handedOver, log, system.folders, dev: system.dev)
            #expect(system.isOpen("dev/watchdog0"))
            watchdogs.letGo()
        }
        #expect(said == "V")
    }

    @Test func severalAreFed() throws {
        let system = try FakeSystem()
        for number in 0...1 { try system.addWatchdog(number, parent: "0000:00:0\(number).0") }
        let handedOver = try #require(WatchdogHandover.list("0:10:0000:00:00.0,1:90:0000:00:01.0"))
        let second = try system.said(to: "watchdog1") {
            let first = try system.said(to: "watchdog0") {
                Watchdogs.inKernelB(handedOver, log, system.folders, dev: system.dev).wait(milliseconds: 500)
            }
            #expect(first == "..")
        }
        #expect(second == "..")
    }

    /// A child that hangs would keep it open for ever, so that PID 1 could not arm it again.
    @Test func aChildDoesNotKeepItOpen() throws {
        blockChildSignal()
        let system = try FakeSystem()
        try system.addWatchdog(0)
        let said = try system.said(to: "watchdog0") {
            let watchdogs = Watchdogs.inKernelB([], log, system.folders, dev: system.dev)
            let own = "\(system.root)/dev/watchdog0"
            let outcome = runInChild("working", KernelParameters(KernelCommandLine("")), log, watchdogs: watchdogs) {
                state in
                // One is the test's.
                let open = ProcessTable().files(of: processID()).filter { $0 == own }.count
                state.text = "\(open)"
                sleep(milliseconds: 2500)
                _exit(1)
            }
            #expect(outcome.reason == "1")
            #expect(system.isOpen("dev/watchdog0"))
        }
        #expect(said.hasPrefix(".") && said.allSatisfy { $0 == "." }, "it is fed while the child works")
    }

    @Test(
        arguments: [
            ("Y", "0", 0, false), ("N", "0", 0, true), ("Y", "30", 0, true), ("N", "0", 1, false), (nil, nil, 0, false),
        ] as [(String?, String?, Int, Bool)])
    func kernelCFeedsWhatTheKernelDoesNot(handled: String?, timeout: String?, nowayout: Int, isFed: Bool) throws {
        let system = try FakeSystem()
        try system.addWatchdog(0, nowayout: nowayout)
        if let handled { try system.write("sys/module/watchdog/parameters/handle_boot_enabled", handled + "\n") }
        if let timeout { try system.write("sys/module/watchdog/parameters/open_timeout", timeout + "\n") }
        let said = try system.said(to: "watchdog0") {
            let watchdogs = Watchdogs.inKernelC(log, system.folders, dev: system.dev)
            watchdogs.keepAlive()
            watchdogs.letGo()
        }
        #expect(said == (isFed ? ".V" : ""))
    }
}
