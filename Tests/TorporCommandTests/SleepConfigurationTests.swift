// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import TorporCommand

@Suite struct SleepConfigurationTests {
    private let fixture: CommandFixture
    private var sleep: FakeSleep { fixture.sleep }
    private var configuration: SleepConfiguration { SleepConfiguration(sleep.system) }

    init() throws { fixture = try CommandFixture() }

    @Test func withoutFilesEverythingIsAllowed() {
        let configuration = configuration
        #expect(configuration.allows(.hibernate))
        #expect(configuration.allows(.suspendThenHibernate))
        #expect(!configuration.allows(.hybridSleep))
        #expect(configuration.suspendStates == ["mem", "standby", "freeze"])
        #expect(configuration.memorySleepModes == [])
        #expect(configuration.hibernateDelay == nil)
        #expect(configuration.suspendEstimation == 3_600_000)
        #expect(configuration.hibernatesOnACPower)
    }

    @Test func settingsAreRead() {
        sleep.write(
            "/etc/systemd/sleep.conf",
            """
            # a comment
            HibernateDelaySec=1
            [Other]
            HibernateDelaySec=2
            [Sleep]
            ; another
            AllowHibernation = no
            SuspendState="freeze" \\
              standby disk
            MemorySleepMode=deep s2idle
            MemorySleepMode=s2idle
            HibernateDelaySec=90min
            SuspendEstimationSec=30min
            HibernateOnACPower=false
            Unknown=x
            """)
        let configuration = configuration
        #expect(!configuration.allows(.hibernate))
        #expect(!configuration.allows(.suspendThenHibernate))
        #expect(configuration.suspendStates == ["freeze", "standby"])
        #expect(configuration.memorySleepModes == ["s2idle"])
        #expect(configuration.hibernateDelay == 5_400_000)
        #expect(configuration.suspendEstimation == 1_800_000)
        #expect(!configuration.hibernatesOnACPower)
        #expect(configuration.warnings == [])
    }

    @Test func suspendThenHibernateNeedsBothUnlessItIsSet() {
        sleep.write("/etc/systemd/sleep.conf", "[Sleep]\nAllowSuspend=no\n")
        #expect(configuration.allows(.hibernate))
        #expect(!configuration.allows(.suspendThenHibernate))
        sleep.write("/etc/systemd/sleep.conf.d/a.conf", "[Sleep]\nAllowSuspendThenHibernate=yes\n")
        #expect(configuration.allows(.suspendThenHibernate))
        sleep.write("/etc/systemd/sleep.conf.d/b.conf", "[Sleep]\nAllowSuspendThenHibernate=\n")
        #expect(!configuration.allows(.suspendThenHibernate))
    }

    @Test func laterDropInsWinAndFoldersHideEachOther() {
        let delay = { (time: String) in "[Sleep]\nHibernateDelaySec=\(time)\n" }
        sleep.write("/usr/lib/systemd/sleep.conf", delay("1s"))
        #expect(configuration.hibernateDelay == 1000)
        sleep.write("/etc/systemd/sleep.conf", "[Sleep]\n")
        #expect(configuration.hibernateDelay == nil)
        sleep.write("/usr/lib/systemd/sleep.conf.d/20-b.conf", delay("2s"))
        sleep.write("/etc/systemd/sleep.conf.d/10-a.conf", delay("3s"))
        sleep.write("/etc/systemd/sleep.conf.d/30-c.txt", delay("4s"))
        #expect(configuration.hibernateDelay == 2000)
        sleep.write("/run/systemd/sleep.conf.d/20-b.conf", "")
        #expect(configuration.hibernateDelay == 3000)
    }

    @Test func valuesWithoutMeaningAreIgnoredWithAWarning() {
        sleep.write(
            "/etc/systemd/sleep.conf",
            "[Sleep]\nAllowHibernation=perhaps\nHibernateDelaySec=soon\nSuspendEstimationSec=0\n")
        #expect(configuration.allows(.hibernate))
        #expect(configuration.hibernateDelay == nil)
        #expect(configuration.suspendEstimation == 3_600_000)
        #expect(
            configuration.warnings == [
                "/etc/systemd/sleep.conf line 2: AllowHibernation cannot be perhaps; the line is ignored",
                "/etc/systemd/sleep.conf line 3: HibernateDelaySec cannot be soon; the line is ignored",
            ])
    }

    @Test func infinityIsNoDelay() {
        sleep.write("/etc/systemd/sleep.conf", "[Sleep]\nHibernateDelaySec=1h\nHibernateDelaySec=infinity\n")
        #expect(configuration.hibernateDelay == nil)
    }
}
