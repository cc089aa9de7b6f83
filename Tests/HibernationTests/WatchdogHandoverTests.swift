// SPDX-License-Identifier: Apache-2.0
import Basics
import Console
import Linux
import Testing

@testable import Hibernation

@Suite struct WatchdogHandoverTests {
    @Test func roundTrips() throws {
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
