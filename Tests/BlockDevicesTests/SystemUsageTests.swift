// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Foundation
import Linux
import Testing

@testable import BlockDevices

/// What the system itself says of devices in use.
@Suite(.serialized) struct SystemUsageTests {
    private func withLoop(_ body: (String, DeviceNumber) throws -> Void) throws {
        let path = try LoopDevice.shell(
            """
            f=$(mktemp); truncate -s 64M $f; mkfs.ext4 -q -F $f; losetup -f --show $f; rm $f
            """)
        defer { _ = try? LoopDevice.shell("losetup -d \(path)") }
        try body(path, try #require(DeviceNumber(path: path)))
    }

    private func use(_ device: DeviceNumber) throws -> DeviceUse? {
        let catalog = DeviceCatalog(seconds: 20)
        try catalog.refresh()
        return try DeviceUsage(catalog).uses { DeviceNumber(path: $0) }.uses.first { $0.device == device }
    }

    /// Runs a script in the background until the body is done; it says `READY`, and ends at the end of its input. No signal
    /// is needed: a thread of these tests may have blocked it, and what it runs may outlive it.
    private func during(_ script: String, _ body: () throws -> Void) throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        let process = Process()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-ec", script.replacing("READY", with: "touch \(file)")]
        let input = Pipe()
        process.standardInput = input
        try process.run()
        defer {
            try? input.fileHandleForWriting.close()
            process.waitUntilExit()
            try? FileManager.default.removeItem(atPath: file)
        }
        for _ in 0..<200 where !exists(file) { sleep(milliseconds: 50) }
        try #require(exists(file))
        try body()
    }

    /// A mount that only another namespace sees.
    @Test(.enabled(if: LoopDevice.areThere)) func findsAMountInAnotherNamespace() throws {
        try withLoop { (path: String, device: DeviceNumber) throws in
            #expect(try use(device) == nil)
            let folder = try LoopDevice.shell("mktemp -d")
            defer { rmdir(folder) }
            try during("exec unshare -m sh -c 'mount \(path) \(folder); READY; exec cat'") { () throws in
                #expect(try !readText("/proc/self/mountinfo").contains(folder))
                #expect(
                    try use(device)
                        == DeviceUse(
                            user: "the ext4 file system on \(folder)", device: device,
                            purpose: .fileSystem(type: "ext4", isReadOnly: false)))
            }
        }
    }

    @Test(.enabled(if: LoopDevice.areThere)) func findsADeviceThatAProcessHasOpen() throws {
        try withLoop { (path: String, device: DeviceNumber) throws in
            // This process's own children do not count: theirs do.
            try during("exec 3<&0 9<\(path); cat <&3 & READY; wait") { () throws in
                let use = try #require(try use(device))
                #expect(use.purpose == .unknown)
                #expect(use.user.hasPrefix("\(path), which ") && use.user.hasSuffix(") has open"))
            }
        }
    }

    /// A device that lies on another one without a file system between.
    @Test(.enabled(if: LoopDevice.areThere)) func followsALoopDeviceOnADevice() throws {
        try withLoop { (path: String, device: DeviceNumber) throws in
            let upper = try LoopDevice.shell("losetup -f --show -o 1048576 \(path)")
            defer { _ = try? LoopDevice.shell("losetup -d \(upper)") }
            let use = try #require(try use(device))
            #expect(use.purpose == .container && use.user == "the block device under \(upper)")
            // In the end all of it is in a file.
            #expect(try BlockTopology().disks(below: try #require(DeviceNumber(path: upper)), [0..<4096]).isEmpty)
            #expect(isVirtual(device))
        }
    }

    /// A mapping outlives the descriptor that it was made with.
    @Test(.enabled(if: LoopDevice.areThere && exists("/usr/bin/python3"))) func findsADeviceThatIsOnlyMapped() throws {
        try withLoop { (path: String, device: DeviceNumber) throws in
            let script = """
                import mmap, os, sys
                d = os.open(sys.argv[1], os.O_RDWR)
                m = mmap.mmap(d, 4096)
                os.close(d)
                for n in os.listdir("/proc/self/fd"):
                    try:
                        if int(n) > 2 and os.readlink("/proc/self/fd/" + n) == sys.argv[1]: os.close(int(n))
                    except OSError: pass
                open(sys.argv[2], "w").close()
                sys.stdin.read()
                """
            let program = FileManager.default.temporaryDirectory.appending(
                path: "torpor-\(Foundation.UUID().uuidString).py")
            defer { try? FileManager.default.removeItem(at: program) }
            try script.write(to: program, atomically: false, encoding: .utf8)
            let ready = program.path + ".ready"
            defer { try? FileManager.default.removeItem(atPath: ready) }
            try during(
                """
                exec 3<&0; python3 \(program.path) \(path) \(ready) <&3 &
                while [ ! -e \(ready) ]; do sleep 0.1; done
                READY; wait
                """
            ) { () throws in
                let use = try #require(try use(device))
                #expect(use.purpose == .unknown && use.user.contains("has open"))
            }
        }
    }

    /// A descriptor that only names a device does not use it.
    @Test(.enabled(if: LoopDevice.areThere && exists("/usr/bin/python3"))) func ignoresAPathDescriptor() throws {
        try withLoop { (path: String, device: DeviceNumber) throws in
            let ready = FileManager.default.temporaryDirectory.appending(
                path: "torpor-\(Foundation.UUID().uuidString)"
            ).path
            defer { try? FileManager.default.removeItem(atPath: ready) }
            let program =
                "import os, sys; os.open('\(path)', os.O_PATH); open('\(ready)', 'w').close(); sys.stdin.read()"
            try during(
                """
                exec 3<&0; python3 -c "\(program)" <&3 &
                while [ ! -e \(ready) ]; do sleep 0.1; done
                READY; wait
                """
            ) { () throws in #expect(try use(device) == nil) }
        }
    }

    @Test func namesEachMappedFileOnce() {
        var files = MappedFiles()
        let table = """
            00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/dbus-daemon
            00e03000-00e24000 rw-p 00000000 00:00 0           [heap]
            7f0000000000-7f0000001000 rw-s 00000000 00:06 123                        /dev/sda 1
            7f0000001000-7f0000002000 rw-s 00001000 00:06 123                        /dev/sda 1
            7f0000002000-7f0000003000 rw-p 00000000 00:00 0
            garbage

            """
        #expect(files.unseen(Array(table.utf8)) == ["400000-452000", "7f0000000000-7f0000001000"])
        #expect(files.unseen(Array(table.utf8)).isEmpty)
    }

    @Test(
        arguments: [
            ("pos:\t0\nflags:\t012000000\nmnt_id:\t5\n", true), ("pos:\t0\nflags:\t0100002\n", false), ("", false),
            ("flags:\t02000000\n", false), ("flags:\t99999\n", false),
        ])
    func recognizesPathDescriptors(text: String, expected: Bool) { #expect(isPathOnly(text) == expected) }
}
