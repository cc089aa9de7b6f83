// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures
import Testing

@testable import Hibernation

/// Which files kernel B may boot with.
@Suite struct RootfsMarkerTests {
    private static let ours: [UInt8] =
        [0x1f, 0x8b, 8, 8, 31, 0, 0, 0, 2, 3] + Array("torpor-rootfs".utf8) + [0, 1, 2, 3, 0x40, 0, 0, 0]
    /// An uncompressed archive, as early microcode is.
    private static let front =
        archiveEntry("kernel/x86/microcode/GenuineIntel.bin", [UInt8](repeating: 7, count: 100))
        + archiveEntry("TRAILER!!!", []) + [UInt8](repeating: 0, count: 512)
    private static let another: [UInt8] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3, 1, 2, 3, 4]

    @Test func acceptsItsOwnRootfs() throws {
        #expect(RootfsMarker.member(in: Self.ours) == 0..<31)
        #expect(RootfsMarker.member(in: Self.front + Self.ours) == Self.front.count..<Self.front.count + 31)
        for front in [[], Self.front, Self.front + Self.front, Self.front.dropLast(2)] {
            // Zeros behind it, as boot loaders put them there.
            for zeros in [0, 1, 4096] {
                try RootfsMarker.require(front + Self.ours + [UInt8](repeating: 0, count: zeros), path: "x")
            }
        }
    }

    /// What the kernel unpacks later replaces our /init.
    @Test func refusesAnArchiveBehindIt() {
        for behind in [
            Self.another, Self.ours, archiveEntry("init", [1]), [0x28, 0xb5, 0x2f, 0xfd],
            [UInt8](repeating: 0, count: 512) + Self.another,
        ] {
            let failure = #expect(throws: Failure.self) {
                try RootfsMarker.require(Self.front + Self.ours + behind, path: "/boot/both")
            }
            #expect(failure?.reason == "it has more data behind Torpor's rootfs.gz, which could replace its /init")
            #expect(failure?.remedy?.contains("--add") == true)
        }
    }

    /// A file of it, compressed or not, and one that has another compressed archive in front of it.
    @Test func refusesAnInitrdThatContainsIt() {
        for file in [
            archiveEntry("usr/lib/torpor/rootfs.gz", Self.ours) + archiveEntry("TRAILER!!!", []),
            Self.front + archiveEntry("usr/lib/torpor/rootfs.gz", Self.ours) + Self.another, Self.another + Self.ours,
            Self.front + Self.another + Self.ours, [7] + Self.ours,
        ] {
            let failure = #expect(throws: Failure.self) { try RootfsMarker.require(file, path: "/boot/initrd.img") }
            #expect(failure?.reason.hasPrefix("it is not Torpor's rootfs.gz") == true)
        }
    }

    @Test(
        arguments: [
            [], [0x1f], Array(ours.prefix(23)), [0x1f, 0x8b, 8, 0] + ours.dropFirst(4), Array("torpor-rootfs".utf8),
            // Cut off, without its size, with one that it cannot have.
            Array(ours.prefix(30)), ours.prefix(4) + [0, 0, 0, 0] + ours.dropFirst(8),
            ours.prefix(4) + [23, 0, 0, 0] + ours.dropFirst(8),
            ours.prefix(4) + [0xff, 0xff, 0xff, 0xff] + ours.dropFirst(8),
            [0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 2, 3] + Array("torpor-rootfs.gz".utf8) + [0],
            [0x28, 0xb5, 0x2f, 0xfd] + [UInt8](repeating: 7, count: 100), [UInt8](repeating: 0, count: 1 << 20),
        ] as [[UInt8]])
    func refusesOtherFiles(file: [UInt8]) {
        let failure = #expect(throws: Failure.self) { try RootfsMarker.require(file, path: "/boot/initrd.img") }
        #expect(failure?.operand == "/boot/initrd.img" && failure?.remedy?.contains("--initrd") == true)
    }

    @Test func countsUnpackedBytes() {
        #expect(RootfsMarker.unpackedByteCount(Self.ours) == 0x40)
        let front = Self.front.count
        #expect(RootfsMarker.unpackedByteCount(Self.front + Self.ours + [0, 0]) == UInt64(front) + 0x40)
        #expect(RootfsMarker.unpackedByteCount([UInt8](repeating: 0, count: 100)) == 400)
        #expect(RootfsMarker.unpackedByteCount([UInt8](repeating: 0xff, count: 100)) == 400)
        #expect(RootfsMarker.unpackedByteCount([]) == 0)
    }
}
