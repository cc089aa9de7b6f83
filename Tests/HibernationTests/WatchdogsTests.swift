// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Foundation
import Linux
import Testing

@testable import Hibernation

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
            watchdogs.disarm()
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
            watchdogs.disarm()
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
    func kernelCFeedsWatchdogsThatTheKernelDoesNot(handled: String?, timeout: String?, nowayout: Int, isFed: Bool)
        throws
    {
        let system = try FakeSystem()
        try system.addWatchdog(0, nowayout: nowayout)
        if let handled { try system.write("sys/module/watchdog/parameters/handle_boot_enabled", handled + "\n") }
        if let timeout { try system.write("sys/module/watchdog/parameters/open_timeout", timeout + "\n") }
        let said = try system.said(to: "watchdog0") {
            let watchdogs = Watchdogs.inKernelC(log, system.folders, dev: system.dev)
            watchdogs.keepAlive()
            watchdogs.disarm()
        }
        #expect(said == (isFed ? ".V" : ""))
    }
}
