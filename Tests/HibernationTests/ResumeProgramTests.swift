// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockDevices
import Testing

@testable import Hibernation

@Suite struct ResumeProgramTests {
    @Test func takesItsOptions() throws {
        let options = try ResumeOptions(["--wait", "5", "--device", "PARTUUID=abcd"])
        #expect(options.device == .partitionUUID("abcd") && options.waitSeconds == 5 && !options.isHelp)
        #expect(try ResumeOptions([]).device == nil && ResumeOptions([]).waitSeconds == 0)
        #expect(try ResumeOptions(["--help"]).isHelp)
    }

    @Test(arguments: [
        (["--device"], "use --device: its value is missing"),
        (["--device", "sda"], "use --device sda: the value must be a path, UUID=, LABEL=, PARTUUID= or PARTLABEL="),
        (["--wait", "-1"], "use --wait -1: the value must be a number of seconds up to 86400"),
        (["--wait", "86401"], "use --wait 86401: the value must be a number of seconds up to 86400"),
        (["\u{1b}[2J"], "use ?[2J: there is no such option"),
    ]) func refusesOtherOptions(arguments: [String], reason: String) {
        let failure = #expect(throws: Failure.self) { try ResumeOptions(arguments) }
        #expect(failure?.description == reason)
    }

    /// A resume under a mounted root file system would damage it.
    @Test(arguments: [
        ("2 1 0:2 / / rw shared:1 - rootfs rootfs rw", true),
        (
            "1 1 0:2 / / rw - rootfs rootfs rw\n24 1 0:22 / / rw - tmpfs tmpfs rw\n30 24 0:5 / /dev rw - devtmpfs devtmpfs rw",
            true
        ),
        ("22 1 254:1 / / rw,relatime - ext4 /dev/vda1 rw", false),
        ("1 1 0:2 / / rw - rootfs rootfs rw\n22 1 0:30 / / rw - btrfs /dev/vda1 rw", false),
        ("22 1 0:31 / / rw - overlay overlay rw", false),
    ]) func runsInAnInitramfsOnly(mounts: String, isAllowed: Bool) {
        if isAllowed {
            #expect(throws: Never.self) { try requireInitramfs(mountEntries(mounts)) }
        } else {
            let failure = #expect(throws: Failure.self) { try requireInitramfs(mountEntries(mounts)) }
            #expect(failure?.description.contains("run torpor-resume in an initramfs") == true)
        }
    }
}
