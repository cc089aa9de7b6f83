// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import MemoryImage
import Testing

@testable import BlockDevices
@testable import Hibernation
@testable import Linux

/// Which hibernation partition is meant, and why none is.
@Suite struct PartitionSearchTests {
    private typealias Device = CatalogDevice

    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func find(_ name: DeviceName? = nil, _ devices: Device...) throws -> String {
        try findHibernationPartition(name, seconds: 0, catalog(devices), naming: "torpor verify DEVICE")
    }

    private func failure(_ name: DeviceName? = nil, _ devices: Device...) -> String {
        do throws(Failure) {
            return try findHibernationPartition(name, seconds: 0, catalog(devices), naming: "torpor verify DEVICE")
        } catch { return error.description }
    }

    @Test func findsAPartitionByItsPath() throws {
        let path = try folder.partition().path
        #expect(try find(.path(path)) == path)
        #expect(failure(.path("/nowhere/disk")) == "find /nowhere/disk: there is no such device")
    }

    @Test func findsTheOnlyOne() throws {
        let other = Device(path: "/dev/b", content: "ext4", label: "nap")
        let ours = Device(path: "/dev/a", superblock: superblock(1, label: "nap"))
        #expect(try find(nil, ours, other) == "/dev/a")
        #expect(try find(.label("nap"), other, ours) == "/dev/a", "an ext4 of the same name is not meant")
        let name = DeviceName.uuid(superblock(1).uuid.description)
        #expect(try find(name, other, ours) == "/dev/a")
        // One that cannot be used does not make the other ambiguous.
        #expect(try find(nil, ours, Device(path: "/dev/c", superblock: superblock(2), isDamaged: true)) == "/dev/a")
    }

    @Test func refusesToChoose() {
        let a = Device(path: "/dev/a", superblock: superblock(1, label: "nap"))
        let b = Device(path: "/dev/b", superblock: superblock(2, label: "nap"))
        #expect(
            failure(nil, a, b)
                == "find the hibernation partition: there are several: /dev/a, /dev/b; name one with torpor verify DEVICE"
        )
        #expect(
            failure(.label("nap"), a, b)
                == "find LABEL=nap: there are several: /dev/a, /dev/b; name one with torpor verify DEVICE")
    }

    /// A cloned disk: the copy that was written last tells what became of the image.
    @Test func takesTheNewestCopy() throws {
        let copies = (1...3).map {
            Device(
                path: "/dev/\($0)",
                superblock: superblock(1, .ready, label: "nap", generation: [4, 9, 7][$0 - 1], image: 5))
        }
        for name in [DeviceName.label("nap"), .uuid(superblock(1).uuid.description)] {
            #expect(try find(name, copies[0], copies[1], copies[2]) == "/dev/2")
        }
        let parameters = KernelParameters(KernelCommandLine(""))
        #expect(try findPartitionToResume(parameters, seconds: 0, catalog(copies)) == "/dev/2")
    }

    /// None of the reasons why there is none is dropped.
    @Test func namesTheReasonIfThereIsNone() {
        let remedy = "; make one with: torpor format DEVICE"
        let none = "find the hibernation partition: there is none"
        #expect(failure(nil) == none + remedy)
        #expect(
            failure(nil, Device(path: "/dev/a", superblock: superblock(1), content: "LVM2_member"))
                == none + "; /dev/a was a hibernation partition, but holds LVM2_member now" + remedy)
        #expect(
            failure(nil, Device(path: "/dev/a", errno: EIO), Device(path: "/dev/b", errno: ENOMEDIUM))
                == none + ", and /dev/a cannot be read: Input/output error" + remedy)
        #expect(
            failure(nil, Device(path: "/dev/a", superblock: superblock(1), isDamaged: true))
                .hasPrefix("open /dev/a: both its superblocks are damaged; "))
        #expect(
            failure(nil, Device(path: "/dev/a", superblock: superblock(1), byteCount: 8 << 20))
                .hasPrefix("open /dev/a: it has 8.0 MiB, but 16.0 MiB when it was formatted; "))
        for name in [nil, DeviceName.label("x")] {
            let denied = #expect(throws: Failure.self) {
                try findHibernationPartition(
                    name, seconds: 0, catalog([Device(path: "/dev/a", errno: EACCES)], isRoot: false), naming: "")
            }
            #expect(denied?.description == "open /dev/a: Permission denied")
        }
    }

    /// Kernel C: that there is nothing to resume is only said if it is so.
    @Test func kernelCNamesTheReasonForNotResuming() throws {
        let parameters = KernelParameters(KernelCommandLine(""))
        let damaged = Device(path: "/dev/a", superblock: superblock(1), isDamaged: true)
        let waiting = Device(path: "/dev/b", superblock: superblock(2, .ready, image: 5))
        let empty = Device(path: "/dev/c", superblock: superblock(3))
        let failure = #expect(throws: Failure.self) {
            try findPartitionToResume(parameters, seconds: 0, catalog([damaged, empty]))
        }
        #expect(failure?.reason == "both its superblocks are damaged")
        #expect(try findPartitionToResume(parameters, seconds: 0, catalog([damaged, waiting, empty])) == "/dev/b")
        #expect(try findPartitionToResume(parameters, seconds: 0, catalog([empty])) == "/dev/c")
        #expect(try findPartitionToResume(parameters, seconds: 0, catalog([])) == nil)
        let other = Device(path: "/dev/d", superblock: superblock(4, .attempted, image: 6))
        let several = #expect(throws: Failure.self) {
            try findPartitionToResume(parameters, seconds: 0, catalog([waiting, other]))
        }
        #expect(
            several?.description
                == "find the hibernation partition: there are several: /dev/b, /dev/d; name one with torpor.device=")
    }

    /// Kernel C: none was found, and a disk is there on which nobody can look. Drives without a medium are nothing unusual.
    @Test func anUnreadableDiskMayHoldThePartition() throws {
        let parameters = KernelParameters(KernelCommandLine(""))
        for (device, text) in [
            (Device(path: "/dev/a", errno: EIO), ", and /dev/a cannot be read: Input/output error"),
            (Device(path: "/dev/a", errno: ETIMEDOUT), ", and /dev/a did not answer"),
            (Device(path: "/dev/a", errno: ETIMEDOUT, isRemovable: true), ", and /dev/a did not answer"),
        ] {
            let failure = #expect(throws: Failure.self) {
                try findPartitionToResume(parameters, seconds: 0, catalog([device]))
            }
            #expect(failure?.reason == "there is none" + text)
            #expect(failure?.isFinal == false && failure?.remedy?.contains("torpor.device=") == true)
            // One that is there needs no other.
            let empty = Device(path: "/dev/c", superblock: superblock(3))
            #expect(try findPartitionToResume(parameters, seconds: 0, catalog([device, empty])) == "/dev/c")
        }
        let drives = [EIO, ENOMEDIUM, ENXIO].map { Device(path: "/dev/\($0)", errno: $0, isRemovable: true) }
        let empty = [ENOMEDIUM, ENXIO].map { Device(path: "/dev/x\($0)", errno: $0) }
        #expect(try findPartitionToResume(parameters, seconds: 0, catalog(drives + empty)) == nil)
    }

    /// Its open(2) might never return.
    @Test func doesNotOpenADeviceThatDoesNotAnswer() throws {
        let path = "/dev/null", number = DeviceNumber(major: 8, minor: 0)
        let catalog = DeviceCatalog(
            seconds: 10, willProbe: { _ in },
            list: { [DeviceCatalog.Entry(path: path, device: number, byteCount: 16 << 20)] }
        ) { (path) throws(Failure) in
            throw Failure("probe", path, "it did not answer within 30 s", errno: ErrorNumber.timedOut)
        }
        try catalog.refresh()
        let text = "probe /dev/null: it did not answer within 30 s"
        let found = #expect(throws: Failure.self) {
            try findHibernationPartition(.path(path), seconds: 0, catalog, naming: "")
        }
        #expect(found?.description == text)
        let formatted = #expect(throws: Failure.self) { try findDeviceToFormat(.path(path), catalog) }
        #expect(formatted?.description == text)
    }

    /// A device that does not answer takes up the whole time of the search; what has appeared meanwhile is found all the same.
    @Test func looksOnceMoreAfterADeviceThatDoesNotAnswer() throws {
        let fifo = folder.path("fifo")
        try #require(mkfifo(fifo, 0o600) == 0)
        let hung = DeviceCatalog.Entry(
            path: "/dev/a", device: DeviceNumber(major: 8, minor: 0), byteCount: 16 << 20)
        let late = DeviceCatalog.Entry(
            path: "/dev/b", device: DeviceNumber(major: 8, minor: 1), byteCount: 16 << 20)
        let answer = Device(path: "/dev/b", superblock: superblock(2, .ready, image: 5)).answer
        for parameters in [
            KernelParameters(KernelCommandLine("")), KernelParameters(KernelCommandLine("torpor.device=LABEL=x")),
        ] {
            var looks = 0
            let catalog = DeviceCatalog(seconds: 2, willProbe: { _ in }) { () throws(Failure) in
                looks += 1
                return looks == 1 ? [hung] : [hung, late]
            } ask: { (path) throws(Failure) in
                if path == "/dev/a" { _ = try File(fifo) }
                return answer
            }
            if parameters.device == nil {
                #expect(try findPartitionToResume(parameters, seconds: 1, catalog) == "/dev/b")
            } else {
                let failure = #expect(throws: Failure.self) {
                    try findPartitionToResume(parameters, seconds: 1, catalog)
                }
                #expect(failure?.reason == "it did not appear within 1 s, and /dev/a did not answer")
            }
            #expect(looks == 2)
        }
    }

    /// Format looks for ours and for others' by the same names, and never chooses.
    @Test func findsTheDeviceToFormat() throws {
        let ours = Device(path: "/dev/a", superblock: superblock(1, label: "nap"))
        let other = Device(path: "/dev/b", content: "ext4", label: "nap")
        let third = Device(path: "/dev/c", content: "swap", label: "other")
        let devices = catalog([ours, other, third])
        #expect(try findDeviceToFormat(.uuid(superblock(1).uuid.description), devices) == "/dev/a")
        #expect(try findDeviceToFormat(.label("other"), devices) == "/dev/c")
        let failure = #expect(throws: Failure.self) { try findDeviceToFormat(.label("nap"), devices) }
        #expect(failure?.description == "find LABEL=nap: there are several: /dev/a, /dev/b; name one with its path")
        let none = #expect(throws: Failure.self) { try findDeviceToFormat(.label("none"), devices) }
        #expect(none?.description == "find LABEL=none: there is no such device")
    }
}
