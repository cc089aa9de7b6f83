// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import CLinux
import Linux

/// The block devices and their contents. Each device is probed once; later queries use the catalog.
///
/// If a device does not answer within the timeout, it is not probed again, and `unanswered` lists it.
public final class DeviceCatalog {
    public struct Entry: Sendable {
        /// The device's node: `/dev/sda1`.
        public let path: String
        public let device: DeviceNumber
        /// Bytes in the device.
        public let byteCount: UInt64
        /// The content that libblkid finds; empty if `failure` is not nil.
        public let content: BlockDeviceContent
        /// The requested blocks of 4 KiB, in order; fewer if the device is too small.
        public let blocks: [[UInt8]]
        /// A unique property of the disk's hardware, such as its serial number; for a partition also its number.
        public let hardware: String?
        /// Whether software of this kernel provides it (device mapper, RAID, loop, …), so that other kernels do not find it.
        public let isVirtual: Bool
        /// Whether its medium is removable, so that an empty drive is normal.
        public let isRemovable: Bool
        /// The reason why the content is unknown.
        public let failure: Failure?
        /// Whether it is a drive without a medium, so that nothing on it can be in use.
        public var hasNoMedium: Bool {
            failure.map { [ErrorNumber.noMedium, ErrorNumber.noAddress].contains($0.errno) } ?? false
        }

        public init(
            path: String, device: DeviceNumber, byteCount: UInt64, content: BlockDeviceContent = BlockDeviceContent(),
            blocks: [[UInt8]] = [], hardware: String? = nil, isVirtual: Bool = false, isRemovable: Bool = false,
            failure: Failure? = nil
        ) {
            self.path = path
            self.device = device
            self.byteCount = byteCount
            self.content = content
            self.blocks = blocks
            self.hardware = hardware
            self.isVirtual = isVirtual
            self.isRemovable = isRemovable
            self.failure = failure
        }
    }

    /// The devices whose size is not 0, in the order of their paths.
    public private(set) var entries: [Entry] = []

    /// The timeout of a device, in seconds.
    public static let standardSeconds = 30

    private let probe: IsolatedProbe
    private let list: () throws(Failure) -> [Entry]
    private let willProbe: (String) -> Void
    private var lastRetry: UInt64 = 0
    /// Whether this process is root. A device that root may not read is unreadable.
    var isRoot = effectiveUserID() == 0

    /// An empty catalog; `refresh()` fills it.
    /// - Parameters:
    ///   - offsets: the offsets of the blocks of 4 KiB to read from each device, in bytes.
    ///   - seconds: the timeout of a device.
    ///   - willProbe: is called with the path of each device before it is probed, as a sign of progress.
    public convenience init(
        blocksAt offsets: [UInt64] = [], seconds: Int = DeviceCatalog.standardSeconds,
        willProbe: @escaping (String) -> Void = { _ in }
    ) {
        self.init(seconds: seconds, willProbe: willProbe, list: listBlockDevices) { (path) throws(Failure) in
            try probeDevice(path, blocksAt: offsets)
        }
    }

    /// A catalog with other functions to list and to probe devices, for tests.
    /// - Parameter isInChild: whether devices are probed in a child process.
    init(
        seconds: Int, isInChild: Bool = true, willProbe: @escaping (String) -> Void,
        list: @escaping () throws(Failure) -> [Entry], ask: @escaping (String) throws(Failure) -> DeviceAnswer
    ) {
        probe = IsolatedProbe(seconds: seconds, isInChild: isInChild, ask: ask)
        self.list = list
        self.willProbe = willProbe
    }

    /// Lists the devices and probes those that are new or have another size. A device that could not be read is probed again,
    /// at most once a second; a device that did not answer in time is not.
    public func refresh() throws(Failure) {
        let now = monotonicMilliseconds()
        let isRetrying = now &- lastRetry >= 1000
        if isRetrying { lastRetry = now }
        var fresh: [Entry] = []
        var known: [Entry] = []
        for entry in try list() {
            if let old = entries.first(where: {
                $0.device == entry.device && $0.path == entry.path && $0.byteCount == entry.byteCount
            }), !isRetrying || old.failure == nil || old.failure?.errno == ErrorNumber.timedOut {
                known.append(old)
            } else {
                fresh.append(entry)
            }
        }
        let answers = try probe.run(fresh.map { $0.path }, willAsk: willProbe)
        for (entry, answer) in zip(fresh, answers) {
            known.append(
                Entry(
                    path: entry.path, device: entry.device, byteCount: entry.byteCount, content: answer.content,
                    blocks: answer.blocks, hardware: answer.hardware, isVirtual: entry.isVirtual,
                    isRemovable: entry.isRemovable, failure: answer.failure))
        }
        entries = known.sorted { $0.path < $1.path }
    }

    /// The device with a number.
    public func entry(_ device: DeviceNumber) -> Entry? { entries.first { $0.device == device } }

    /// The device at a path. The path may be a symbolic link.
    public func entry(at path: String) -> Entry? { DeviceNumber(path: path).flatMap { entry($0) } }

    /// The paths of the devices that did not answer in time.
    public var unanswered: [String] {
        entries.filter { $0.failure?.errno == ErrorNumber.timedOut }.map { $0.path }
    }

    /// The paths of all devices with a name. If the name is a path, the result is that path if it exists.
    /// - Parameter content: the content that tags are compared with; by default that of libblkid.
    public func paths(
        named name: DeviceName, content: (Entry) -> BlockDeviceContent = { $0.content }
    ) -> [String] {
        if case .path(let path) = name { return exists(path) ? [path] : devices(linkedFrom: path) ?? [] }
        return entries.filter { name.matches(path: $0.path, content($0)) }.map { $0.path }
    }

    /// Waits for a device with a name. Only devices that appear meanwhile are probed.
    ///
    /// - Parameters:
    ///   - seconds: the maximum wait; nil waits for ever.
    ///   - whileWaiting: is called before each look at the devices.
    /// - Returns: the paths of all devices with the name; at least one.
    /// - Throws: if none appears in time. The reason names the devices that do not answer.
    public func wait(
        for name: DeviceName, seconds: Int?, whileWaiting: () -> Void = {},
        content: (Entry) -> BlockDeviceContent = { $0.content }
    ) throws(Failure) -> [String] {
        let start = monotonicMilliseconds()
        if case .path(let path) = name, !exists(path), isLink(path), devices(linkedFrom: path) == nil {
            throw Failure(
                "find", path, "only udev can create this link",
                remedy: "use UUID=, LABEL=, PARTUUID= or PARTLABEL=")
        }
        while true {
            whileWaiting()
            // Taken before the look, which may take long: a device that appears during it is found by one more look.
            let now = monotonicMilliseconds()
            // Whether a path exists does not depend on the contents of any device.
            if case .path = name {} else { try refresh() }
            let paths = paths(named: name, content: content)
            if !paths.isEmpty { return paths }
            if let seconds, now - start >= UInt64(seconds) * 1000 {
                let reason = seconds == 0 ? "there is no such device" : "it did not appear within \(seconds) s"
                if case .path = name { throw Failure("find", name.description, reason) }
                if let failure = permissionFailure { throw failure }
                throw Failure("find", name.description, reason + unansweredPhrase)
            }
            sleep(milliseconds: 20)
        }
    }

    /// The devices that do not answer or cannot be read, as an addition to a reason; empty if there are none.
    public var unansweredPhrase: String {
        var phrase = unanswered.isEmpty ? "" : ", and \(unanswered.joined(separator: ", ")) did not answer"
        for entry in unreadable { phrase += ", and \(entry.path) cannot be read: \(entry.failure?.reason ?? "")" }
        return phrase
    }

    /// The devices that could not be read, without those that did not answer in time and drives without a medium.
    public var unreadable: [Entry] {
        entries.filter { entry in
            guard let number = entry.failure?.errno else { return false }
            return number != ErrorNumber.timedOut && !entry.hasNoMedium
        }
    }

    /// The devices with unknown contents: those that did not answer, and fixed disks that cannot be read.
    public var hidden: [Entry] {
        entries.filter { entry in
            guard let number = entry.failure?.errno else { return false }
            return number == ErrorNumber.timedOut
                || !entry.isRemovable && ![ErrorNumber.noMedium, ErrorNumber.noAddress].contains(number)
        }
    }

    /// Refuses a device that did not answer when it was probed: an open of it may block for ever.
    public func requireAnswer(from path: String) throws(Failure) {
        let found = entries.first { $0.path.utf8.elementsEqual(path.utf8) } ?? entry(at: path)
        if let failure = found?.failure, failure.errno == ErrorNumber.timedOut { throw failure }
    }

    /// The refusal of a device to this process because it is not root; nil if there is none.
    public var permissionFailure: Failure? {
        isRoot ? nil : entries.compactMap { $0.failure }.first { ErrorNumber.areDenials.contains($0.errno) }
    }
}

/// The block devices of /sys/class/block whose size is not 0, partitions included, in no order.
private func listBlockDevices() throws(Failure) -> [DeviceCatalog.Entry] {
    var entries: [DeviceCatalog.Entry] = []
    for path in try blockDevicePaths() {
        // A device may disappear while it is read.
        guard let device = DeviceNumber(path: path),
            let sectors = (try? readText("/sys/dev/block/\(device)/size")).flatMap({ parseNumber(trimmed($0)) })
        else { continue }
        entries.append(
            DeviceCatalog.Entry(
                path: path, device: device, byteCount: sectors &* 512, isVirtual: isVirtual(device),
                isRemovable: isRemovable(device)))
    }
    return entries
}

/// Whether the medium of a disk, or of a partition's disk, is removable (6.12, block/genhd.c, `removable`; the folder of a
/// partition is in the folder of its disk).
private func isRemovable(_ device: DeviceNumber) -> Bool {
    let folder = "/sys/dev/block/\(device)"
    let text = (try? readText("\(folder)/removable")) ?? (try? readText("\(folder)/../removable")) ?? ""
    return trimmed(text) == "1"
}

/// Reads the content that libblkid finds on a device, its hardware identity and some of its blocks.
private func probeDevice(_ path: String, blocksAt offsets: [UInt64]) throws(Failure) -> DeviceAnswer {
    var answer = DeviceAnswer()
    answer.content = try probeContent(path)
    answer.hardware = DeviceNumber(path: path).flatMap { hardwareIdentity($0) }
    if offsets.isEmpty { return answer }
    let file = try File(aroundCache: path)
    let size = try DeviceGeometry(of: file).byteCount
    let block = try Mapping(anonymous: Int(pageSize))
    for offset in offsets where size >= pageSize && offset <= size - pageSize {
        try file.read(into: block.bytes, at: offset)
        answer.blocks.append(Array(block.bytes))
    }
    return answer
}
