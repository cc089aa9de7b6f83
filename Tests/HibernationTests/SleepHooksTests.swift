// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import Hibernation

@Suite struct SleepHooksTests {
    @Test func holdsTheDeviceUntilTheEnd() throws {
        let system = try FakeSystem()
        try system.write("dev/snapshot", "")
        var findings = Findings()
        do {
            let hooks = try SleepHooks(&findings, system.folders)
            #expect(system.isOpen("dev/snapshot"))
            hooks.close()
        }
        #expect(!system.isOpen("dev/snapshot"))
        // After a failure as well.
        #expect(throws: Failure.self) { try fail(system.folders) { #expect(system.isOpen("dev/snapshot")) } }
        #expect(!system.isOpen("dev/snapshot"))
        #expect(findings.all.isEmpty)
    }

    private func fail(_ folders: SystemFolders, _ look: () -> Void) throws(Failure) {
        var findings = Findings()
        let hooks = try SleepHooks(&findings, folders)
        defer { withExtendedLifetime(hooks) {} }
        look()
        throw Failure("jump", "", "refused")
    }

    @Test func warnsWithoutTheDevice() throws {
        let system = try FakeSystem()
        var findings = Findings()
        let hooks = try SleepHooks(&findings, system.folders)
        hooks.close()
        try SleepHooks.check(&findings, system.folders)
        #expect(findings.warnings.count == 1)
        #expect(findings.warnings.first?.remedy?.contains("CONFIG_HIBERNATION_SNAPSHOT_DEV") == true)
    }

    /// Any other error is a driver's.
    @Test func refusesIfADriverRefuses() throws {
        let system = try FakeSystem()
        try system.link("dev/snapshot", "snapshot")
        var findings = Findings()
        do throws(Failure) {
            let hooks = try SleepHooks(&findings, system.folders)
            hooks.close()
            Issue.record("it was opened")
        } catch { #expect(error.reason.contains("a driver refuses") && error.remedy != nil) }
        #expect(findings.all.isEmpty)
    }

    @Test func checkReadsWhetherTheKernelHibernates() throws {
        let system = try FakeSystem()
        try system.write("dev/snapshot", "")
        var findings = Findings()
        try system.write("sys/power/disk", "[shutdown] reboot suspend test_resume\n")
        try SleepHooks.check(&findings, system.folders)
        try system.write("sys/power/disk", "[disabled]\n")
        #expect(throws: Failure.self) { try SleepHooks.check(&findings, system.folders) }
        #expect(findings.all.isEmpty)
    }

    @Test(
        arguments: [
            ("ro nohibernate quiet", "nohibernate"), ("hibernate=no", "hibernate=no"), ("hibernate=noresume", nil),
            ("hibernate=nocompress quiet", nil), ("hibernate=noresume nohibernate", "nohibernate"),
            ("quiet -- nohibernate", nil), ("", nil),
        ] as [(String, String?)])
    func namesTheParameterThatForbidsIt(commandLine: String, word: String?) throws {
        let system = try FakeSystem()
        try system.write("proc/cmdline", commandLine + "\n")
        let refusal = SleepHooks.refusal(system.folders)
        #expect(refusal.reason.contains("command line forbids") == (word != nil))
        if let word { #expect(refusal.reason.hasPrefix(word + " ")) }
        #expect(refusal.remedy != nil)
    }

    @Test func namesLockdown() throws {
        let system = try FakeSystem()
        try system.write("sys/kernel/security/lockdown", "[none] integrity confidentiality\n")
        #expect(!SleepHooks.refusal(system.folders).reason.contains("locked down"))
        try system.write("sys/kernel/security/lockdown", "none [integrity] confidentiality\n")
        #expect(SleepHooks.refusal(system.folders).reason.contains("locked down"))
    }

    @Test(arguments: [
        ("/secretmem (deleted)", ""), ("/secretmem", ""), ("anon_inode:[secretmem]", ""),
        ("/home/x", "7f0000000000-7f0000001000 rw-s 00000000 00:0e 2 /secretmem (deleted)\n"),
    ])
    func namesTheProcessWithSecretMemory(file: String, maps: String) throws {
        let system = try FakeSystem()
        try system.addProcess(30, "editor")
        try system.link("proc/30/fd/3", "/home/x/secretmem (deleted)")
        try system.write("proc/30/maps", "7f0000000000-7f0000001000 r--p 00000000 00:0e 2 /home/x/secretmem\n")
        #expect(!SleepHooks.refusal(system.folders).reason.contains("has secret memory"))
        try system.addProcess(31, "agent")
        try system.link("proc/31/fd/3", file)
        try system.write("proc/31/maps", maps)
        #expect(SleepHooks.refusal(system.folders).reason.hasPrefix("agent (31) has secret memory"))
    }

    @Test func namesCXLMemory() throws {
        let system = try FakeSystem()
        try system.make("sys/bus/cxl/devices/root0")
        #expect(!SleepHooks.refusal(system.folders).reason.contains("CXL memory ("))
        try system.make("sys/bus/cxl/devices/mem0")
        #expect(SleepHooks.refusal(system.folders).reason.contains("CXL memory (mem0)"))
    }
}
