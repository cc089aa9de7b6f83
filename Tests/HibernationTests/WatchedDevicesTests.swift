import Linux
import Testing

@testable import Hibernation

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
    func tellsWhetherAUseIsWatched(before: DeviceUse.Purpose, now: DeviceUse.Purpose, isWatched: Bool) {
        #expect(Self.use(before).covers(Self.use(now)) == isWatched)
        #expect(!Self.use(before).covers(Self.use(now, 2)))
    }
}
