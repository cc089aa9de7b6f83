// SPDX-License-Identifier: Apache-2.0
import Basics
import MemoryImage
import Testing

@testable import BlockDevices
@testable import Hibernation
@testable import Linux

@Suite struct WatchedDevicesTests {
    private static func use(_ purpose: DeviceUse.Purpose, _ minor: UInt32 = 1) -> DeviceUse {
        DeviceUse(user: "u", device: DeviceNumber(major: 8, minor: minor), purpose: purpose)
    }

    /// What came into use after it was looked at would not be watched.
    @Test(
        arguments: [
            (.swap(isUsed: false), .swap(isUsed: false), true), (.swap(isUsed: true), .swap(isUsed: false), true),
            (.swap(isUsed: false), .swap(isUsed: true), false),
            (.fileSystem(type: "xfs", isReadOnly: false), .fileSystem(type: "xfs", isReadOnly: true), true),
            (.fileSystem(type: "xfs", isReadOnly: true), .fileSystem(type: "xfs", isReadOnly: false), false),
            (.fileSystem(type: "xfs", isReadOnly: true), .fileSystem(type: "ext4", isReadOnly: true), false),
            (.swap(isUsed: true), .fileSystem(type: "ext4", isReadOnly: true), false),
            (.container, .container, true), (.container, .unknown, false),
            (.fileSystem(type: "ext4", isReadOnly: false), .unknown, true), (.unknown, .unknown, true),
        ] as [(DeviceUse.Purpose, DeviceUse.Purpose, Bool)])
    func knowsWhetherAUseIsWatched(before: DeviceUse.Purpose, now: DeviceUse.Purpose, isWatched: Bool) {
        #expect(Self.use(before).covers(Self.use(now)) == isWatched)
        #expect(!Self.use(before).covers(Self.use(now, 2)))
    }

    private static func device(_ user: String, _ extents: [DeviceRange] = [0..<4096]) -> WatchedDevice {
        WatchedDevice(
            user: user, identity: "UUID=01234567-89ab-4cde-8f01-23456789abcd", byteCount: 1 << 40, extents: extents,
            fingerprints: [.init(byteCount: 1 << 40, checksum: 0)])
    }

    /// A disc, or a stick whose driver is a module: kernel B does not have it.
    @Test func leavesOutADiskThatKernelBDoesNotHaveIfThatIsAllowed() throws {
        let stick = DeviceNumber(major: 8, minor: 17), disk = DeviceNumber(major: 8, minor: 1)
        func watched(isUnwatchedAllowed: Bool) -> WatchedDevices {
            WatchedDevices(
                [(Self.device("a"), disk), (Self.device("b"), stick), (Self.device("c"), disk)],
                DeviceCatalog(seconds: 1), isUnwatchedAllowed: isUnwatchedAllowed)
        }
        func require(_ device: DeviceNumber) throws(Failure) {
            if device == stick { throw Failure("use", "/dev/sdb1", "its driver is a module", remedy: "use another") }
        }
        var findings = Findings()
        var allowed = watched(isUnwatchedAllowed: true)
        try allowed.leaveOutMissing(&findings, require)
        #expect(allowed.devices.map { $0.user } == ["a", "c"] && allowed.disks == [disk])
        #expect(
            findings.warnings.map { $0.description } == [
                "/dev/sdb1 is not checked for outside changes at resume: its driver is a module"
            ])
        var refused = watched(isUnwatchedAllowed: false)
        var failure: Failure?
        do throws(Failure) { try refused.leaveOutMissing(&findings, require) } catch { failure = error }
        #expect(failure?.remedy == "use another, or unmount it, or leave it unwatched with --allow-unwatched")
    }

    /// The process that asked it cannot be frozen, so that nothing is allowed here.
    @Test func refusesADeviceThatDoesNotAnswer() throws {
        let catalog = DeviceCatalog(seconds: 0, willProbe: { _ in }) { () throws(Failure) in
            [DeviceCatalog.Entry(path: "/dev/sdx", device: DeviceNumber(major: 8, minor: 1), byteCount: 1)]
        } ask: { _ in
            sleep(milliseconds: 3000)
            return DeviceAnswer()
        }
        try catalog.refresh()
        try #require(catalog.unanswered == ["/dev/sdx"])
        let failure = #expect(throws: Failure.self) { try WatchedDevices.requireAnswers(catalog) }
        #expect(failure?.operand == "/dev/sdx" && failure?.remedy == "detach the device")
        var findings = Findings()
        #expect(throws: Failure.self) {
            try WatchedDevices(catalog, excluded: [], isUnwatchedAllowed: true, &findings)
        }
    }

    private func refusal(_ devices: [WatchedDevice]) -> Failure? {
        var description = ImageDescription()
        description.watchedDevices = devices
        do throws(Failure) {
            try SessionNote.requireReadable(description.encoded(), devices, beside: 4096)
            return nil
        } catch { return error }
    }

    /// Each as large as can be watched without gaps.
    @Test func fourUsedSwapsFit() {
        let size: UInt64 = 32 << 30
        let ranges = swapTelltales(isUsed: true, byteCount: size)[0].ranges.wholePages(in: 0..<size)
        #expect(ranges.count == 1 << 14)
        #expect(refusal((0..<4).map { Self.device("the swap space /dev/sd\($0)", ranges) }) == nil)
        let failure = refusal(
            [Self.device("small")] + (0..<9).map { Self.device("the swap space /dev/sd\($0)", ranges) })
        #expect(failure?.operand == "the swap space /dev/sd0")
        #expect(failure?.remedy == "unmount it, or turn it off with swapoff")
    }
}
