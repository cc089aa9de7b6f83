// SPDX-License-Identifier: Apache-2.0
import Basics

@testable import TorporCommand

/// A system with GRUB, initramfs-tools and systemd, on which Torpor is installed and not set up.
struct SetupSystem {
    let fixture: CommandFixture

    init() throws {
        fixture = try CommandFixture()
        try fixture.devices.add("sdb3")
        try fixture.boot.addGRUB()
        for path in [
            "/usr/sbin/update-initramfs", "/usr/share/initramfs-tools/hooks/torpor", "/usr/lib/torpor/update-rootfs.sh",
            "/run/systemd/system/x", "/usr/lib/torpor/systemd/system/torpor-check.service",
        ] { try fixture.boot.write(path, "") }
        try fixture.boot.write(Self.source, Self.dropIn)
        fixture.hibernation.onCheck = { (_, _) throws(Failure) in ("/dev/sdb3", ["mem=128M"]) }
        let boot = fixture.boot
        fixture.programs.onRun = { command in
            if command == "update-grub" { try? boot.updateGRUB() }
            if command.hasPrefix("/usr/lib/torpor/update-rootfs.sh") {
                try? boot.write("/var/lib/torpor/rootfs-6.12.107.gz", "modules")
            }
        }
    }

    static let source = "/usr/lib/torpor/systemd/system/systemd-hibernate.service.d/50-torpor.conf"
    static let target = "/etc/systemd/system/systemd-hibernate.service.d/50-torpor.conf"
    static let dropIn = "[Service]\nExecStart=\nExecStart=/usr/sbin/torpor sleep hibernate\n"
    static let commands = [
        "/usr/lib/torpor/update-rootfs.sh add 6.12.107", "/usr/sbin/update-initramfs -u -k all", "update-grub",
        "systemctl daemon-reload", "systemctl enable torpor-check.service",
        "systemctl try-restart systemd-logind.service",
    ]
}
