// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import TorporCommand

@Suite struct SleepSystemTests {
    @Test func theClockGrowsAndFilesAreRead() {
        let system = SleepSystem()
        #expect(system.bootMilliseconds() >= monotonicMilliseconds())
        #expect(system.text("/proc/sys/kernel/ostype") == "Linux")
        #expect(system.text("/nowhere/torpor") == nil)
        #expect(system.names(in: "/nowhere/torpor") == [])
    }

    @Test func anAlarmRingsOrIsRefused() throws {
        // Without a real-time clock, or without CAP_WAKE_ALARM, there is no alarm.
        do throws(Failure) {
            let alarm = try ClockAlarm(20)
            #expect(try ClockAlarm(100_000).hasRung() == false)
            #expect(try alarm.hasRung())
            // The machine may wake up to two seconds early.
            #expect(try ClockAlarm(1200).hasRung())
            #expect(try ClockAlarm(4000).hasRung() == false)
        } catch {
            #expect(error.description.hasPrefix("set an alarm that wakes the machine: "))
        }
    }

    @Test func programsThatCannotBeStartedAreNotActive() {
        var system = SleepSystem()
        system.programs = NoPrograms()
        #expect(!system.isActive("user.slice"))
        #expect(system.run("systemctl") == nil)
    }
}

private struct NoPrograms: ProgramRunner {
    func run(_ programs: [Program], milliseconds: Int?) -> [Result<ProgramResult, Failure>] {
        programs.map { .failure(Failure("run", $0.name, "No such file or directory")) }
    }
}
