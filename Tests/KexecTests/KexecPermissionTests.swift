// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import Kexec

/// Whether loading is permitted, found out without a call that is counted.
@Suite struct KexecPermissionTests {
    private static let root = "Name:\ttorpor\nCapInh:\t0\nCapEff:\t000001ffffffffff\nSeccomp:\t0\n"
    private static let configuration = KernelConfiguration(
        "CONFIG_KEXEC=y\nCONFIG_KEXEC_FILE=y\nCONFIG_KEXEC_JUMP=y\n", path: "config")

    private func permission(_ change: (inout KexecPermission) -> Void = { _ in }) -> KexecPermission {
        var permission = KexecPermission()
        permission.loadLimit = "5\n"
        permission.loadDisabled = "0\n"
        permission.lockdown = "[none] integrity confidentiality\n"
        permission.status = Self.root
        permission.configuration = Self.configuration
        change(&permission)
        return permission
    }

    @Test func permitsLoadingIfTheFilesDo() throws {
        #expect(try permission().check() == nil)
        #expect(try permission { $0.lockdown = nil }.check() == nil)
        #expect(permission().callsLeft == 5)
        // Nothing is counted: the question may be put to the kernel itself.
        #expect(permission { $0.loadLimit = "-1\n" }.callsLeft == nil)
        #expect(permission { $0.loadLimit = nil }.callsLeft == nil)
    }

    private nonisolated(unsafe) static let refusals: [(reason: String, change: (inout KexecPermission) -> Void)] = [
        ("allows 0 more kexec loads", { $0.loadLimit = "0" }),
        ("allows 1 more kexec loads, and a hibernation needs 2", { $0.loadLimit = "1" }),
        ("kernel.kexec_load_disabled is set", { $0.loadDisabled = "1" }),
        (
            "the kernel is locked down (none [integrity] confidentiality)",
            { $0.lockdown = "none [integrity] confidentiality" }
        ),
        ("this process lacks CAP_SYS_BOOT", { $0.status = "CapEff:\t000001ffffbfffff\n" }),
        ("this process lacks CAP_SYS_BOOT", { $0.status = "CapEff:\t0000000000000000\n" }),
        (
            "has no CONFIG_KEXEC_JUMP",
            {
                $0.configuration = KernelConfiguration(
                    "CONFIG_KEXEC=y\n# CONFIG_KEXEC_JUMP is not set\n", path: "config")
            }
        ),
        (
            "has no CONFIG_KEXEC",
            { $0.configuration = KernelConfiguration("# CONFIG_KEXEC is not set\n", path: "config") }
        ),
    ]

    @Test func refusesLoadingIfAFileForbidsIt() {
        for (reason, change) in Self.refusals {
            let failure = #expect(throws: Failure.self) { _ = try permission(change).check() }
            #expect(failure?.reason.contains(reason) == true, "\(failure?.reason ?? "")")
            #expect(failure?.remedy != nil)
        }
        #expect(throws: Never.self) { try permission { $0.loadLimit = "2" }.check() }
    }

    /// The last call is for unloading: what stays loaded is what an init restarts into.
    @Test func keepsOneCallForTheUnload() {
        for limit in ["2\n", "-1\n", nil] {
            #expect(throws: Never.self) { try permission { $0.loadLimit = limit }.requireReload() }
        }
        for limit in ["0\n", "1\n"] {
            let failure = #expect(throws: Failure.self) { try permission { $0.loadLimit = limit }.requireReload() }
            #expect(failure?.remedy?.contains("try again") == true)
        }
    }

    @Test func namesUnknownPermissions() throws {
        #expect(
            try permission { $0.configuration = nil }.check()?.contains(
                "whether the running kernel has CONFIG_KEXEC_JUMP: its ") == true)
    }
}
