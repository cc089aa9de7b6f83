// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@testable import BlockDevices

@Suite struct DeviceCatalogTests {
    private static func entry(_ name: String, _ minor: UInt32, size: UInt64 = 1 << 20) -> DeviceCatalog.Entry {
        DeviceCatalog.Entry(path: "/dev/\(name)", device: DeviceNumber(major: 8, minor: minor), byteCount: size)
    }

    /// A counter that the processes which probe share with this one: how often each device was probed.
    private final class Tally: @unchecked Sendable {
        private let memory: Mapping
        init() throws { memory = try Mapping(anonymous: 4096, isShared: true) }
        private func number(_ path: String) -> Int { Int(path.utf8.last ?? 0) }
        func count(_ path: String) { memory.bytes[number(path)] += 1 }
        subscript(path: String) -> Int { Int(memory.bytes[number(path)]) }
    }

    private static func answer(_ path: String) -> DeviceAnswer {
        var answer = DeviceAnswer()
        answer.content.label = "label of \(path)"
        answer.content.uuid = "ABCD-1234"
        answer.blocks = [[1, 2, 3], []]
        return answer
    }

    /// A FIFO that nobody writes to stands in for a device that does not answer: its open(2) never returns.
    @Test func namesADeviceThatDoesNotAnswerAndFindsTheOthers() throws {
        let fifo = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        try #require(mkfifo(fifo, 0o600) == 0)
        defer { unlink(fifo) }
        var asked: [String] = []
        let catalog = DeviceCatalog(seconds: 1, willProbe: { asked.append($0) }) { () throws(Failure) in
            ["sda", "sdb", "sdc", "sdd"].enumerated().map { Self.entry($1, UInt32($0)) }
        } ask: { (path) throws(Failure) in
            if path == "/dev/sdb" || path == "/dev/sdd" { _ = try File(fifo) }
            return Self.answer(path)
        }
        let start = monotonicMilliseconds()
        try catalog.refresh()
        #expect(monotonicMilliseconds() - start < 20_000)
        #expect(catalog.unanswered == ["/dev/sdb", "/dev/sdd"])
        #expect(asked == ["/dev/sda", "/dev/sdb", "/dev/sdc", "/dev/sdd"])
        #expect(catalog.paths(named: .label("label of /dev/sda")) == ["/dev/sda"])
        #expect(catalog.paths(named: .label("label of /dev/sdc")) == ["/dev/sdc"])
        #expect(catalog.entries[1].failure?.description == "probe /dev/sdb: it did not answer within 1 s")
        // Neither is waited for again, and what is looked for may be on them.
        let failure = #expect(throws: Failure.self) { try catalog.wait(for: .label("no such label"), seconds: 0) }
        #expect(
            failure?.description
                == "find LABEL=no such label: there is no such device, and /dev/sdb, /dev/sdd did not answer")
        #expect(asked.count == 4)
    }

    /// The look takes longer than the search may: what has appeared meanwhile is found by one more.
    @Test func looksOnceMoreAfterADeviceThatDoesNotAnswer() throws {
        let fifo = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        try #require(mkfifo(fifo, 0o600) == 0)
        defer { unlink(fifo) }
        var looks = 0
        let catalog = DeviceCatalog(seconds: 2, willProbe: { _ in }) { () throws(Failure) in
            looks += 1
            return [Self.entry("sda", 0)] + (looks > 1 ? [Self.entry("sdb", 16)] : [])
        } ask: { (path) throws(Failure) in
            if path == "/dev/sda" { _ = try File(fifo) }
            return Self.answer(path)
        }
        #expect(try catalog.wait(for: .label("label of /dev/sdb"), seconds: 1) == ["/dev/sdb"])
        #expect(looks == 2)
    }

    /// Twenty paths that are dead together are not waited for one after the other, each as long as the first.
    @Test func waitsLessForTheNextDeviceThatDoesNotAnswer() throws {
        let fifo = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)").path
        try #require(mkfifo(fifo, 0o600) == 0)
        defer { unlink(fifo) }
        var probe = IsolatedProbe(seconds: 2) { (path) throws(Failure) in
            _ = try File(fifo)
            return Self.answer(path)
        }
        probe.secondsAfterLate = 0
        let start = monotonicMilliseconds()
        let answers = try probe.run((0..<8).map { "/dev/\($0)" }) { _ in }
        #expect(answers.allSatisfy { $0.failure?.errno == ErrorNumber.timedOut })
        #expect(monotonicMilliseconds() - start < 10_000)
        #expect(answers.map { $0.failure?.reason }.dropFirst().allSatisfy { $0 == "it did not answer within 0 s" })
    }

    @Test func recognizesADriveWithoutAMedium() {
        func entry(_ number: CInt?) -> DeviceCatalog.Entry {
            DeviceCatalog.Entry(
                path: "/dev/sr0", device: DeviceNumber(major: 11, minor: 0), byteCount: 1,
                failure: number.map { Failure("probe", "/dev/sr0", errno: $0) })
        }
        #expect(entry(ENOMEDIUM).hasNoMedium && entry(ENXIO).hasNoMedium)
        #expect(!entry(EIO).hasNoMedium && !entry(nil).hasNoMedium)
    }

    @Test func goesOnBehindADeviceThatEndsTheProbe() throws {
        let catalog = DeviceCatalog(seconds: 20, willProbe: { _ in }) { () throws(Failure) in
            ["sda", "sdb", "sdc"].enumerated().map { Self.entry($1, UInt32($0)) }
        } ask: { (path) throws(Failure) in
            if path == "/dev/sda" { Linux.kill(processID()) }
            if path == "/dev/sdb" { throw Failure("probe", path, "no medium", errno: 123) }
            return Self.answer(path)
        }
        try catalog.refresh()
        #expect(
            catalog.entries.map { $0.failure?.reason } == ["the probing process ended unexpectedly", "no medium", nil])
        #expect(catalog.entries[1].failure?.errno == 123)
        #expect(catalog.entries[2].content == Self.answer("/dev/sdc").content)
        #expect(catalog.entries[2].blocks == [[1, 2, 3], []])
        #expect(catalog.unanswered == [])
    }

    /// Each device once, however often it is looked for; only what is new is probed while waiting.
    @Test func probesEachDeviceOnce() throws {
        let tally = try Tally()
        var devices = [Self.entry("sda", 0), Self.entry("sdb", 16)]
        var looks = 0
        let catalog = DeviceCatalog(seconds: 20, willProbe: { _ in }) { () throws(Failure) in
            devices
        } ask: { (path) in
            tally.count(path)
            return Self.answer(path)
        }
        let found = try catalog.wait(for: .label("label of /dev/sdc"), seconds: 20) {
            looks += 1
            if looks == 3 { devices.append(Self.entry("sdc", 32)) }
        }
        #expect(found == ["/dev/sdc"])
        #expect(catalog.paths(named: .uuid("abcd-1234")) == ["/dev/sda", "/dev/sdb", "/dev/sdc"])
        #expect(devices.map { tally[$0.path] } == [1, 1, 1])
        // Another size is another device; one that went is forgotten.
        devices = [Self.entry("sda", 0, size: 2 << 20), Self.entry("sdc", 32)]
        try catalog.refresh()
        #expect(catalog.entries.map { $0.path } == ["/dev/sda", "/dev/sdc"])
        #expect(tally["/dev/sda"] == 2)
        #expect(tally["/dev/sdc"] == 1)
    }

    /// The devices of this machine, as a process that may not read them sees them, too.
    @Test func listsTheDevicesOfThisMachine() throws {
        let catalog = DeviceCatalog(blocksAt: [0], seconds: 20)
        try catalog.refresh()
        #expect(
            catalog.entries.map { $0.path }
                == (try blockDevicePaths().filter { DeviceNumber(path: $0) != nil }).sorted())
        for entry in catalog.entries {
            #expect(entry.byteCount > 0)
            if entry.failure == nil { #expect(entry.blocks.allSatisfy { $0.count == 4096 }) }
            #expect(catalog.entry(at: entry.path)?.device == entry.device)
        }
    }

    @Test func findsAPathThatIsThere() throws {
        let name = try #require(DeviceName("/dev/null"))
        #expect(try DeviceCatalog().wait(for: name, seconds: 0) == ["/dev/null"])
        #expect(try DeviceCatalog().wait(for: name, seconds: nil) == ["/dev/null"])
    }

    /// Nobody waits if no time is given.
    @Test(arguments: ["/nowhere/disk", "LABEL=no such label"])
    func namesAMissingDevice(text: String) throws {
        let name = try #require(DeviceName(text))
        var looks = 0
        let catalog = DeviceCatalog(seconds: 20, willProbe: { _ in }) { () throws(Failure) in
            [Self.entry("sda", 0)]
        } ask: { (path) throws(Failure) in
            throw Failure("probe", path, "no medium", errno: ErrorNumber.noMedium)
        }
        let failure = #expect(throws: Failure.self) { try catalog.wait(for: name, seconds: 0) { looks += 1 } }
        #expect(failure?.description == "find \(text): there is no such device")
        #expect(looks == 1)
    }

    private func catalog(_ errno: [String: CInt], isRoot: Bool = true) throws -> DeviceCatalog {
        let catalog = DeviceCatalog(
            seconds: 5, willProbe: { _ in },
            list: {
                errno.keys.sorted().enumerated().map {
                    DeviceCatalog.Entry(
                        path: $1, device: DeviceNumber(major: 1, minor: UInt32($0)), byteCount: 1 << 20)
                }
            }
        ) { (path) throws(Failure) in
            if let number = errno[path], number != 0 {
                throw Failure("open", path, errorText(number), errno: number)
            }
            return DeviceAnswer()
        }
        catalog.isRoot = isRoot
        try catalog.refresh()
        return catalog
    }

    @Test func namesTheReasonIfNothingIsFound() throws {
        let denied = #expect(throws: Failure.self) {
            try catalog(["/dev/a": EACCES, "/dev/b": EACCES], isRoot: false).wait(for: .label("x"), seconds: 0)
        }
        #expect(denied?.description == "open /dev/a: Permission denied" && denied?.errno == EACCES)
        let root = #expect(throws: Failure.self) { try catalog(["/dev/a": EPERM]).wait(for: .label("x"), seconds: 0) }
        #expect(root?.reason == "there is no such device, and /dev/a cannot be read: Operation not permitted")
        let broken = #expect(throws: Failure.self) {
            try catalog(["/dev/a": EIO, "/dev/b": 0, "/dev/c": ENOMEDIUM]).wait(for: .label("x"), seconds: 0)
        }
        #expect(
            broken?.reason == "there is no such device, and /dev/a cannot be read: Input/output error",
            "an empty drive is none that cannot be read")
        #expect(try catalog(["/dev/a": 0, "/dev/c": ENOMEDIUM]).unansweredPhrase == "")
    }
}
