// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines
import MemoryImage
import Testing

extension MachineTests {
    /// A hibernation partition with foreign contents is not ours any more, and Torpor does not write to it.
    @Suite(.serialized) struct ForeignContentTests {
        @Test func doesNotOverwriteForeignContents() throws {
            let lab = try Lab("foreign")
            let disks = [
                try lab.formattedDisk(byteCount: 64 << 20),
                try lab.formattedDisk("table", byteCount: 64 << 20, isPartitioned: false),
                try lab.formattedDisk("volume", byteCount: 64 << 20, isPartitioned: false),
            ]
            let table = try lab.disk("gpt", [.empty(8 << 20)])
            // Like pvcreate: after the first sector, so that our magic stays.
            var label = [UInt8](repeating: 0, count: 4096)
            label.replaceSubrange(512..<520, with: Array("LABELONE".utf8))
            label[520] = 1
            label.replaceSubrange(528..<532, with: [0x51, 0xd2, 0x2c, 0x34])
            label[532] = 32
            label.replaceSubrange(536..<544, with: Array("LVM2 001".utf8))
            label.replaceSubrange(544..<576, with: Array(repeating: UInt8(ascii: "a"), count: 32))
            let volume = lab.folder.appending(path: "label")
            try Data(label).write(to: volume)
            var a = try lab.kernelA(
                "a", disks: disks, files: ["gpt": table, "label": volume],
                """
                expect "three partitions" sh -c '[ $(torpor status --json | grep -c "\\"uuid\\"") = 3 ]'
                mkswap /dev/vda1 >/dev/null 2>&1 || fail mkswap
                # A new partition table keeps the data after it, and sometimes the data before it.
                dd if=/gpt of=/dev/vdb bs=512 skip=1 seek=1 count=40 conv=notrunc 2>/dev/null
                dd if=/gpt of=/dev/vdb bs=1 skip=440 seek=440 count=72 conv=notrunc 2>/dev/null
                dd if=/label of=/dev/vdc bs=512 skip=1 seek=1 count=1 conv=notrunc 2>/dev/null
                sync
                echo 3 >/proc/sys/vm/drop_caches
                md5sum /dev/vda1 /dev/vdb /dev/vdc >/tmp/before
                for device in /dev/vda1 /dev/vdb /dev/vdc; do
                    refuses "hibernate to $device" "$device" hibernate --device $device
                    refuses "format $device" "--force" torpor format $device
                    refuses "discard $device" "$device" torpor discard $device
                done
                refuses "none is left" "torpor format" hibernate
                expect "nothing is changed" md5sum -c /tmp/before
                """)
            a.memory = "512M"
            try lab.run(a).expectDone()
        }
    }
}
