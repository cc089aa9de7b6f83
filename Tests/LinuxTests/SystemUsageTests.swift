import Basics
import Foundation
import Testing

@testable import Linux

/// Loop devices of this machine, as far as it lets us have some.
private enum Loop {
    static func shell(_ script: String) throws -> String {
        let process = Process(), output = Pipe()
        process.executableURL = URL(filePath: "/bin/sh")
        process.arguments = ["-ec", script]
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure("run", "a script", "it ended with an error") }
        return trimmed(String(decoding: data, as: UTF8.self))
    }

    static let areThere: Bool =
        effectiveUserID() == 0 && exists("/dev/loop-control") && exists("/sbin/mkfs.ext4")
        && (try? shell(
            """
            f=$(mktemp); truncate -s 1M $f; l=$(losetup -f --show $f); rm $f; losetup -d $l
            """)) != nil
}

/// What the system itself says of devices in use.
@Suite(.serialized, .enabled(if: Loop.areThere)) struct SystemUsageTests {
    private func withLoop(_ body: (String, DeviceNumber) throws -> Void) throws {
        let path = try Loop.shell(
            """
            f=$(mktemp); truncate -s 64M $f; mkfs.ext4 -q -F $f; losetup -f --show $f; rm $f
            """)
        defer { _ = try? Loop.shell("losetup -d \(path)") }
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
    @Test func findsAMountInAnotherNamespace() throws {
        try withLoop { (path: String, device: DeviceNumber) throws in
            #expect(try use(device) == nil)
            let folder = try Loop.shell("mktemp -d")
            defer { rmdir(folder) }
            try during("exec unshare -m sh -c 'mount \(path) \(folder); READY; exec cat'") { () throws in
                #expect(try !readText("/proc/self/mountinfo").contains(folder))
                #expect(
                    try use(device)
                        == DeviceUse(
                            user: "the ext4 on \(folder)", device: device,
                            purpose: .fileSystem(type: "ext4", isReadOnly: false)))
            }
        }
    }

    @Test func findsADeviceThatAProcessHasOpen() throws {
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
    @Test func followsALoopDeviceOnADevice() throws {
        try withLoop { (path: String, device: DeviceNumber) throws in
            let upper = try Loop.shell("losetup -f --show -o 1048576 \(path)")
            defer { _ = try? Loop.shell("losetup -d \(upper)") }
            let use = try #require(try use(device))
            #expect(use.purpose == .container && use.user == "what \(upper) lies on")
            // In the end all of it is in a file.
            #expect(try BlockTopology().disks(below: try #require(DeviceNumber(path: upper)), [0..<4096]).isEmpty)
            #expect(isVirtual(device))
        }
    }
}
