import Basics
import Testing

@testable import Hibernation

/// Which files kernel B may boot with.
@Suite struct RootfsMarkerTests {
    private static let ours: [UInt8] =
        [0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 2, 3] + Array("torpor-rootfs".utf8) + [0, 1, 2, 3, 0x40, 0, 0, 0]

    @Test func knowsItsOwn() throws {
        #expect(RootfsMarker.offset(in: Self.ours) == 0)
        // Early microcode in front, and another gzip member.
        let front = Array("070701".utf8) + [UInt8](repeating: 0, count: 506) + [0x1f, 0x8b, 8, 0, 0x1f]
        #expect(RootfsMarker.offset(in: front + Self.ours) == front.count)
        try RootfsMarker.require(Self.ours, path: "x")
    }

    @Test(
        arguments: [
            [], [0x1f], Array(ours.prefix(23)), [0x1f, 0x8b, 8, 0] + ours.dropFirst(4), Array("torpor-rootfs".utf8),
            [0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 2, 3] + Array("torpor-rootfs.gz".utf8) + [0],
            [0x28, 0xb5, 0x2f, 0xfd] + [UInt8](repeating: 7, count: 100), [UInt8](repeating: 0, count: 1 << 20),
        ] as [[UInt8]])
    func refusesOthers(file: [UInt8]) {
        let failure = #expect(throws: Failure.self) { try RootfsMarker.require(file, path: "/boot/initrd.img") }
        #expect(failure?.operand == "/boot/initrd.img" && failure?.remedy?.contains("--initrd") == true)
    }

    @Test func tellsWhatIsUnpacked() {
        #expect(RootfsMarker.unpackedByteCount(Self.ours) == 0x40)
        #expect(RootfsMarker.unpackedByteCount([UInt8](repeating: 7, count: 512) + Self.ours) == 512 + 0x40)
        #expect(RootfsMarker.unpackedByteCount([UInt8](repeating: 0, count: 100)) == 400)
        #expect(RootfsMarker.unpackedByteCount([UInt8](repeating: 0xff, count: 100)) == 400)
        #expect(RootfsMarker.unpackedByteCount([]) == 0)
    }
}
