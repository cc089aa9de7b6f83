// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import TorporCommand

@Suite struct SuspendTests {
    private let fixture: CommandFixture
    private var sleep: FakeSleep { fixture.sleep }

    init() throws { fixture = try CommandFixture() }

    private var suspend: Suspend {
        Suspend(system: sleep.system, configuration: SleepConfiguration(sleep.system))
    }

    @Test func theFirstStateThatTheKernelTakesIsUsed() throws {
        sleep.write(Suspend.stateFile, "standby freeze\n")
        try suspend.check()
        try suspend.run()
        #expect(sleep.events == ["mem > /sys/power/state", "standby > /sys/power/state"])
    }

    @Test func modesAreSetOnlyForMem() throws {
        sleep.write("/etc/systemd/sleep.conf", "[Sleep]\nMemorySleepMode=deep\n")
        try suspend.run()
        #expect(sleep.events == ["deep > /sys/power/mem_sleep", "mem > /sys/power/state"])
        sleep.write("/etc/systemd/sleep.conf", "[Sleep]\nMemorySleepMode=deep\nSuspendState=freeze\n")
        try suspend.run()
        #expect(sleep.events.dropFirst(2) == ["freeze > /sys/power/state"])
    }

    @Test func aMachineWithoutSuspendFails() {
        sleep.write(Suspend.stateFile, "disk\n")
        #expect {
            try suspend.check()
        } throws: {
            ($0 as? Failure)?.description
                == "suspend: the kernel and the firmware offer none of the states mem, standby, freeze in "
                + "/sys/power/state; use systemctl hibernate"
        }
        #expect {
            try suspend.run()
        } throws: {
            ($0 as? Failure)?.description == "write mem to /sys/power/state: Invalid argument"
        }
    }
}
