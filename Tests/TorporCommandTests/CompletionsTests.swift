// SPDX-License-Identifier: Apache-2.0
import BlockDevices
import Foundation
import Hibernation
import MemoryImage
import Testing

@testable import TorporCommand

@Suite struct CompletionsTests {
    private let fixture: CommandFixture
    private var boot: FakeBoot { fixture.boot }
    private var completion: DeviceCompletion { DeviceCompletion(root: boot.folder.path) }

    init() throws {
        fixture = try CommandFixture()
        for (name, size) in [
            ("sda", "8"), ("sda1", "4"), ("sr0", "0"), ("loop0", "0"), ("loop1", "16"), ("ram0", "8"), ("zram0", "8"),
            ("cciss!c0d0", "8"), ("dm-0", "8"), ("dm-1", "8"),
        ] {
            try boot.write("/sys/class/block/\(name)/size", "\(size)\n")
        }
        try boot.write("/sys/class/block/dm-0/dm/name", "vg0-nap\n")
        try boot.write("/sys/class/block/dm-1/dm/name", "a b\n")
        for link in ["by-partuuid/ab-01", "by-partlabel/my\\x20nap", "by-id/ata-X_1", "by-path/pci-0000:00:1f.2"] {
            try boot.write("/dev/disk/\(link)", "")
        }
    }

    @Test func offersDevicesThatHoldBytes() {
        let all = ["/dev/cciss/c0d0", "/dev/loop1", "/dev/mapper/vg0-nap", "/dev/sda", "/dev/sda1"]
        #expect(completion.paths("").sorted() == all)
        #expect(completion.paths("/dev/").sorted() == all)
        #expect(completion.paths("/dev/sda") == ["/dev/sda", "/dev/sda1"])
        #expect(completion.paths("/dev/mapper/v") == ["/dev/mapper/vg0-nap"])
        #expect(completion.paths("UUID=") == [])
    }

    @Test func offersLinksThatAShellReadsAsOneWord() {
        #expect(completion.paths("/dev/disk/").sorted() == ["/dev/disk/by-id/ata-X_1", "/dev/disk/by-partuuid/ab-01"])
        #expect(completion.paths("/dev/disk/by-p") == ["/dev/disk/by-partuuid/ab-01"])
    }

    @Test func offersNothingWithoutSysfs() {
        #expect(DeviceCompletion(root: "/nowhere").paths("") == [])
    }

    /// The scripts as a user gets them.
    private func script(_ shell: String) -> String { fixture.run("--generate-completion-script", shell).output }

    @Test(arguments: ["bash", "zsh", "fish"]) func everyOfferedValueIsAccepted(_ shell: String) {
        let text = script(shell)
        for value in ["none", "lz4", "zstd", "xz"] {
            #expect(Codec(argument: value) != nil)
            #expect(text.contains(value))
        }
        for value in ["poweroff", "reboot", "return"] {
            #expect(AfterSave(argument: value) != nil)
            #expect(text.contains(value))
        }
        // The shell asks torpor for the devices.
        #expect(text.contains("---completion"))
    }
}
