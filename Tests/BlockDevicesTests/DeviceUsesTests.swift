// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@testable import BlockDevices

/// What is in use, told from tables as systems have them.
@Suite struct DeviceUsesTests {
    private static let noDevice: Set<String> = [
        "proc", "sysfs", "devtmpfs", "tmpfs", "overlay", "9p", "virtiofs", "autofs", "fuse", "nfs4", "zfs", "ubifs",
    ]

    private static func number(_ text: String) -> DeviceNumber {
        DeviceNumber(text) ?? DeviceNumber(major: 0, minor: 0)
    }

    private static func device(
        _ text: String, _ name: String, disk: String? = nil, holders: [String] = [], claimed: Bool = false,
        opener: String? = nil
    ) -> DeviceUsage.Device {
        DeviceUsage.Device(
            number(text), path: "/dev/\(name)", disk: disk.map { number($0) }, holders: holders, isClaimed: claimed,
            opener: opener)
    }

    private func usage(_ mounts: String, _ devices: [DeviceUsage.Device], btrfs: [[String]] = []) -> DeviceUsage {
        var usage = DeviceUsage()
        usage.mounts = mountEntries(mounts)
        usage.devices = devices
        usage.btrfs = btrfs.map { $0.map { Self.number($0) } }
        usage.typesWithoutDevice = Self.noDevice
        return usage
    }

    private func uses(_ usage: DeviceUsage) -> (uses: [DeviceUse], failures: [Failure]) {
        usage.uses { path in usage.devices.first { $0.path == path }?.number }
    }

    /// The mounts of `cases/data/mountinfo.txt`.
    private static let table = """
        22 30 0:21 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
        30 1 0:28 /root / rw,relatime - btrfs /dev/dm-1 rw,compress=zstd:3,ssd,subvolid=258,subvol=/root
        31 1 0:29 /@ /btrfs-root rw,relatime shared:1 - btrfs /dev/root rw,space_cache=v2,subvolid=256,subvol=/@
        33 30 0:34 / /tank rw,relatime shared:6 - zfs tank rw,xattr,posixacl
        36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
        37 30 0:37 / /merged rw,relatime - overlay overlay rw,lowerdir=/l/A:/l/B,upperdir=/u,workdir=/w
        38 30 0:38 / /mnt/9p rw,sync,dirsync,relatime shared:9 - 9p hostshare rw,access=client,trans=virtio
        40 30 0:40 / /proc/sys/fs/binfmt_misc rw,relatime shared:11 - autofs systemd-1 rw,fd=37,pgrp=0
        41 30 0:41 / /home/u/remote rw,nosuid,nodev,relatime shared:12 - fuse.sshfs u@example.org:/ rw,user_id=1000
        42 30 8:17 / /media/My\\040Stick rw,nosuid,nodev,relatime shared:13 - exfat /dev/sdb1 rw,fmask=0022
        43 30 8:33 / /media/win rw,nosuid,nodev,relatime shared:14 - fuseblk /dev/sdc1 rw,user_id=0,blksize=4096
        44 30 7:3 / /snap/core22/1 ro,nodev,relatime shared:15 - squashfs /dev/loop3 ro,errors=continue
        45 30 259:9 / /srv/dissect ro,relatime shared:16 - ext4 /dev/loop0p1 ro
        50 30 0:43 / /mnt/with\\011tab\\134back rw shared:21 - tmpfs tmpfs\\040with\\040space rw
        """

    @Test func findsEveryBlockDeviceOfATable() {
        let devices = [
            Self.device("253:1", "dm-1"), Self.device("8:3", "sda3"), Self.device("98:0", "ubda"),
            Self.device("8:17", "sdb1", disk: "8:16"), Self.device("8:33", "sdc1"), Self.device("7:3", "loop3"),
            Self.device("259:9", "loop0p1", disk: "7:0"),
        ]
        let (uses, failures) = uses(usage(Self.table, devices, btrfs: [["253:1"], ["8:3"]]))
        #expect(failures.isEmpty)
        func use(_ user: String, _ device: String, _ type: String, _ isReadOnly: Bool = false) -> DeviceUse {
            DeviceUse(
                user: user, device: Self.number(device), purpose: .fileSystem(type: type, isReadOnly: isReadOnly))
        }
        #expect(
            uses == [
                use("the btrfs file system on /", "253:1", "btrfs"),
                use("the ext3 file system on /mnt2", "98:0", "ext3"),
                use("the exfat file system on /media/My Stick", "8:17", "exfat"),
                use("the fuseblk file system on /media/win", "8:33", "fuseblk"),
                use("the squashfs file system on /snap/core22/1", "7:3", "squashfs", true),
                use("the ext4 file system on /srv/dissect", "259:9", "ext4", true),
                use("the btrfs file system on /btrfs-root", "8:3", "btrfs"),
            ])
    }

    /// A Btrfs on two whole disks is on both.
    @Test func findsAllDevicesOfABtrfs() {
        let devices = [Self.device("254:16", "vdb", claimed: true), Self.device("254:32", "vdc", claimed: true)]
        let found = uses(usage("30 1 0:28 / / rw - btrfs /dev/vdb rw\n", devices, btrfs: [["254:16", "254:32"]]))
        #expect(found.uses.map { $0.device.description } == ["254:16", "254:32"])
        #expect(found.uses.allSatisfy { $0.user == "the btrfs file system on /" })
        #expect(found.failures.isEmpty)
    }

    /// What nothing can be followed of is named, not left out.
    @Test(
        arguments: [
            (
                "30 1 0:28 / / rw - btrfs /dev/root rw\n",
                "watch the btrfs file system on /: its block device /dev/root does not exist"
            ),
            (
                "36 1 98:0 / /x rw - ext3 /dev/root rw\n",
                "watch the ext3 file system on /x: its block device 98:0 does not exist"
            ),
            (
                "36 1 0:50 / /x rw - bcachefs /dev/a:/dev/b rw\n",
                "watch the bcachefs file system on /x: its block device /dev/a:/dev/b does not exist"
            ),
            (
                "36 1 0:51 / /x rw - ubifs ubi0:data rw\n",
                "watch the ubifs file system on /x: it is on raw flash (ubi0:data), not on a block device"
            ),
            (
                "36 1 0:51 / /x rw - unheardof /dev/gone rw\n",
                "watch the unheardof file system on /x: its block device /dev/gone does not exist"
            ),
            (
                "36 1 8:1 / /x rw - xfs /dev/sda1 rw,logdev=/dev/gone,noquota\n",
                "watch the xfs file system on /x: its block device /dev/gone does not exist"
            ),
        ])
    func namesUsesItCannotFollow(table: String, expected: String) {
        let found = uses(usage(table, [Self.device("8:1", "sda1")]))
        #expect(found.failures.map { $0.description } == [expected])
    }

    /// File systems that the kernel mounts for itself are not in /proc/filesystems. They show up if somebody binds them, as
    /// `ip netns`, Docker and snapd do.
    @Test func ignoresNamespacesAndFilesThatAreMounted() {
        let table = """
            63 43 0:4 net:[4026532178] /run/docker/netns/x rw - nsfs nsfs rw
            64 43 0:4 mnt:[4026532600] /run/snapd/ns/firefox.mnt rw - nsfs nsfs rw
            65 43 0:5 / /run/pid rw - pidfs pidfs rw
            66 43 0:61 / /mnt/image ro - erofs /srv/image.erofs ro,user_xattr
            67 43 0:62 / /mnt/demand ro - erofs none ro,fsid=x
            68 43 0:63 / /mnt/new rw - unheardof unheardof rw

            """
        let found = uses(usage(table, [Self.device("8:1", "sda1")]))
        #expect(found.uses.isEmpty)
        #expect(found.failures.isEmpty, "\(found.failures)")
    }

    /// A bcachefs has the number of its first device; the others are held by the kernel.
    @Test func findsEveryDeviceOfABcachefs() {
        let found = uses(
            usage(
                "36 1 8:1 / /x rw - bcachefs /dev/sda1:/dev/sdb1 rw\n",
                [Self.device("8:1", "sda1", claimed: true), Self.device("8:17", "sdb1", claimed: true)]))
        #expect(found.uses.map { $0.device.description } == ["8:1", "8:17"])
    }

    @Test func findsTheLogOfXFSOnItsOwnDevice() {
        let table = "36 1 8:1 / /x rw - xfs /dev/sda1 rw,logdev=/dev/sdb1,noquota\n"
        let found = uses(usage(table, [Self.device("8:1", "sda1"), Self.device("8:17", "sdb1", claimed: true)]))
        #expect(
            found.uses.map { $0.purpose } == [
                .fileSystem(type: "xfs", isReadOnly: false), .fileSystem(type: "xfs_external_log", isReadOnly: false),
            ])
    }

    /// Claims that no mount, swap or device explains: ZFS, a mount in a namespace without a process, ….
    @Test(
        arguments: [
            // A partition that is claimed makes its disk busy: the partition is meant.
            ([("8:0", nil, true), ("8:1", "8:0", true), ("8:2", "8:0", false)], ["8:1"]),
            // A disk that is claimed itself.
            ([("8:0", nil, true)], ["8:0"]), ([("8:0", nil, true), ("8:1", "8:0", false)], ["8:0"]),
            ([("8:0", nil, false), ("8:1", "8:0", false)], []),
        ] as [([(String, String?, Bool)], [String])])
    func findsHoldersInTheKernel(devices: [(String, String?, Bool)], expected: [String]) {
        let found = uses(usage("", devices.map { Self.device($0.0, "x\($0.0)", disk: $0.1, claimed: $0.2) }))
        #expect(found.uses.map { $0.device.description } == expected)
        #expect(
            found.uses.allSatisfy {
                $0.purpose == .unknown && $0.user.contains("which something in the kernel has claimed")
            })
    }

    /// The disk of a mounted partition is busy as well, and so is each partition of a mounted disk: they are not meant.
    @Test func explainsADiskByItsPartitionAndAPartitionByItsDisk() {
        let partition = usage(
            "36 1 8:1 / / rw - ext4 /dev/sda1 rw\n",
            [Self.device("8:0", "sda", claimed: true), Self.device("8:1", "sda1", disk: "8:0", claimed: true)])
        #expect(uses(partition).uses.map { $0.device.description } == ["8:1"])
        let disk = usage(
            "36 1 8:0 / / rw - ext4 /dev/sda rw\n",
            [Self.device("8:0", "sda", claimed: true), Self.device("8:1", "sda1", disk: "8:0", claimed: true)])
        #expect(uses(disk).uses.map { $0.device.description } == ["8:0"])
    }

    @Test func findsContainersOpenDevicesAndSwap() {
        var usage = usage(
            "",
            [
                Self.device("8:1", "sda1", holders: ["/dev/dm-0"], claimed: true),
                Self.device("8:2", "sda2", claimed: true),
                Self.device("8:3", "sda3", opener: "process 7 (qemu)"), Self.device("8:4", "sda4"),
            ])
        usage.swaps = swapEntries(
            """
            Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority
            /dev/sda2                               partition\t1000\t\t12\t\t-2
            /swapfile                               file\t\t1000\t\t0\t\t-3
            /dev/my\\040gone                        partition\t1000\t\t0\t\t-4

            """)
        let found = uses(usage)
        #expect(
            found.uses.map { "\($0.device) \($0.user)" } == [
                "8:2 the swap space /dev/sda2", "8:1 the block device under /dev/dm-0",
                "8:3 /dev/sda3, which process 7 (qemu) has open",
            ])
        #expect(found.uses.map { $0.purpose } == [.swap(isUsed: true), .container, .unknown])
        #expect(
            found.failures.map { $0.description } == [
                "watch the swap space /dev/my gone: its block device does not exist"
            ])
        usage.swaps[0].isUsed = false
        #expect(uses(usage).uses.first?.purpose == .swap(isUsed: false))
    }
}
