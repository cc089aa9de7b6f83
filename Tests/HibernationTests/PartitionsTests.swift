// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import MemoryImage
import Testing

@testable import BlockDevices
@testable import Hibernation
@testable import Linux

/// Which hibernation partition is meant, and why none is.
@Suite struct PartitionsTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    /// A device as the catalog has it after probing.
    private struct Device {
        var path: String
        var superblock: Superblock?
        var isDamaged = false
        var byteCount: UInt64 = 16 << 20
        var content: String?
        var label: String?
        var errno: CInt = 0
        var isRemovable = false

        var answer: DeviceAnswer {
            var answer = DeviceAnswer()
            if errno != 0 { answer.failure = Failure("open", path, errorText(errno), errno: errno) }
            answer.content.type = content
            answer.content.label = label
            guard let superblock else { return answer }
            var block = superblock.encoded()
            if isDamaged { block[1000] ^= 1 }
            answer.blocks = [block, block]
            return answer
        }
    }

    private func superblock(
        _ uuid: UInt8, _ state: Superblock.State = .empty, label: String = "", generation: UInt64 = 1, image: UInt8 = 0
    ) -> Superblock {
        var superblock = Superblock(
            uuid: UUID(bytes: [UInt8](repeating: uuid, count: 16)) ?? .zero, label: label, deviceByteCount: 16 << 20)
        superblock.state = state
        superblock.generation = generation
        superblock.imageUUID = UUID(bytes: [UInt8](repeating: image, count: 16)) ?? .zero
        return superblock
    }

    private func catalog(_ devices: [Device], isRoot: Bool = true) -> DeviceCatalog {
        let catalog = DeviceCatalog(
            seconds: 10, willProbe: { _ in },
            list: {
                devices.enumerated().map {
                    DeviceCatalog.Entry(
                        path: $1.path, device: DeviceNumber(major: 8, minor: UInt32($0)), byteCount: $1.byteCount,
                        isRemovable: $1.isRemovable)
                }
            }
        ) { (path) throws(Failure) in devices.first { $0.path == path }?.answer ?? DeviceAnswer() }
        catalog.isRoot = isRoot
        return catalog
    }

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
    @Test func saysWhyThereIsNone() {
        let remedy = "; make one with: torpor format DEVICE"
        let none = "find the hibernation partition: there is none"
        #expect(failure(nil) == none + remedy)
        #expect(
            failure(nil, Device(path: "/dev/a", superblock: superblock(1), content: "LVM2_member"))
                == none + "; /dev/a was one, and holds LVM2_member now" + remedy)
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
    @Test func kernelCSaysWhyItDoesNotResume() throws {
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
    @Test func noPartitionIsNotTakenForGrantedIfADiskCannotBeRead() throws {
        let parameters = KernelParameters(KernelCommandLine(""))
        for (device, text) in [
            (Device(path: "/dev/a", errno: EIO), ", and /dev/a cannot be read: Input/output error"),
            (Device(path: "/dev/a", errno: ETIMEDOUT), ", and no answer came from /dev/a"),
            (Device(path: "/dev/a", errno: ETIMEDOUT, isRemovable: true), ", and no answer came from /dev/a"),
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
    @Test func doesNotOpenWhatDoesNotAnswer() throws {
        let path = "/dev/null", number = DeviceNumber(major: 8, minor: 0)
        let catalog = DeviceCatalog(
            seconds: 10, willProbe: { _ in },
            list: { [DeviceCatalog.Entry(path: path, device: number, byteCount: 16 << 20)] }
        ) { (path) throws(Failure) in
            throw Failure("probe", path, "it has not answered within 30 s", errno: ErrorNumber.timedOut)
        }
        try catalog.refresh()
        let text = "probe /dev/null: it has not answered within 30 s"
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
                #expect(failure?.reason == "it has not appeared within 1 s, and no answer came from /dev/a")
            }
            #expect(looks == 2)
        }
    }

    /// What was resumed from one disk is still readable on its clone.
    @Test func findsTheCopiesWithContents() throws {
        func device(_ path: String, _ uuid: UInt8, pages: UInt64) -> Device {
            var superblock = superblock(uuid, .consumed, image: 5)
            superblock.counts.storedBytes = pages == 0 ? 0 : 2 << 20
            return Device(path: path, superblock: superblock)
        }
        let devices = catalog([
            device("/dev/a", 1, pages: 0), device("/dev/b", 1, pages: 1), device("/dev/c", 1, pages: 0),
            device("/dev/d", 2, pages: 1), Device(path: "/dev/e", content: "ext4"),
        ])
        try devices.refresh()
        #expect(try Hibernate.copies(of: "/dev/a", devices) == ["/dev/b"])
        #expect(try Hibernate.copies(of: "/dev/d", devices) == [])
        #expect(try Hibernate.copies(of: "/nowhere/disk", devices) == [])
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

    // MARK: The root file system

    /// A session is not given up for a device that cannot be mounted.
    @Test func wantsARootFileSystemThatThisKernelKnows() throws {
        let known = "nodev\tsysfs\nnodev\ttmpfs\n\text3\n\text4\n\tvfat\n"
        func mountable(_ types: [String], hasLoader: Bool = false) throws(Failure) -> [String] {
            try RootFileSystem.mountable(types, "/dev/a", known: known, hasLoader: hasLoader)
        }
        #expect(try mountable(["ext4"]) == ["ext4"])
        #expect(try mountable(["xfs", "ext4", "btrfs"]) == ["ext4"])
        for type in ["crypto_LUKS", "LVM2_member", "btrfs", "ext", "nodev", "", "gpt partition table"] {
            let failure = #expect(throws: Failure.self) { try mountable([type]) }
            #expect(failure?.description.hasPrefix("mount /dev/a: this kernel knows no file system \(type); ") == true)
            #expect(try mountable([type], hasLoader: true) == [type])
        }
        #expect(try RootFileSystem.mountable(["xfs"], "/dev/a", known: nil, hasLoader: false) == ["xfs"])
    }

    @Test func triesTheTypesOfTheRootFileSystemInOrder() throws {
        #expect(RootFileSystem.types("ext4,xfs") == ["ext4", "xfs"])
        #expect(RootFileSystem.types(",ext4,,xfs,") == ["ext4", "xfs"])
        #expect(RootFileSystem.types("") == [])
        var tried: [String] = []
        try RootFileSystem.tryInOrder(["ext4", "xfs", "btrfs"], "/dev/a") { (type) throws(Failure) in
            tried.append(type)
            if type == "ext4" { throw Failure("mount", "/root", "Invalid argument") }
        }
        #expect(tried == ["ext4", "xfs"])
        let failure = #expect(throws: Failure.self) {
            try RootFileSystem.tryInOrder(["ext4", "xfs"], "/dev/a") { (type) throws(Failure) in
                throw Failure("mount", "/root", type == "xfs" ? "No such device" : "Invalid argument")
            }
        }
        #expect(
            failure?.description
                == "mount /dev/a: as ext4: Invalid argument, as xfs: No such device; name its type with rootfstype=")
        let none = #expect(throws: Failure.self) { try RootFileSystem.tryInOrder([], "/dev/a") { _ in } }
        #expect(none?.reason == "no file system is known on it")
    }
}
