// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore
import CLinux
import Linux

/// One look at all block devices: each is probed once, and what it holds is looked up here from then on.
///
/// A device that does not answer is waited for once, as long as the bound says, and named by `unanswered`.
public final class DeviceCatalog {
    public struct Entry: Sendable {
        /// The device's node: `/dev/sda1`.
        public let path: String
        public let device: DeviceNumber
        /// Bytes in the device.
        public let byteCount: UInt64
        /// What libblkid finds there; empty if `failure` tells why that is not known.
        public let content: BlockDeviceContent
        /// The blocks of 4 KiB that the catalog was made to read, in order; fewer if the device ends before.
        public let blocks: [[UInt8]]
        /// What a disk says of itself, such as its serial number, by which it is told from all others; of a partition, that of
        /// its disk with its own number.
        public let hardware: String?
        /// Whether software of this kernel makes it (device mapper, RAID, loop, …), so that another kernel does not find it.
        public let isVirtual: Bool
        /// Whether its medium can be taken out, so that an empty drive is nothing unusual.
        public let isRemovable: Bool
        /// Why nothing is known of the device.
        public let failure: Failure?
        /// Whether it is a drive that holds no medium, so that nothing on it can be in use.
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

    /// The devices with a size, in the order of their paths.
    public private(set) var entries: [Entry] = []

    /// Seconds that a device may take to answer.
    public static let standardSeconds = 30

    private let probe: IsolatedProbe
    private let list: () throws(Failure) -> [Entry]
    private let willProbe: (String) -> Void
    private var lastRetry: UInt64 = 0
    /// Whether this process is root; what even root may not read is unreadable.
    var isRoot = effectiveUserID() == 0

    /// An empty catalog; `refresh()` fills it.
    /// - Parameters:
    ///   - offsets: blocks of 4 KiB to read from each device, in bytes.
    ///   - seconds: how long a device may take to answer.
    ///   - willProbe: is called with the path of each device before it is probed: a sign of life.
    public convenience init(
        blocksAt offsets: [UInt64] = [], seconds: Int = DeviceCatalog.standardSeconds,
        willProbe: @escaping (String) -> Void = { _ in }
    ) {
        self.init(seconds: seconds, willProbe: willProbe, list: listBlockDevices) { (path) throws(Failure) in
            try probeDevice(path, blocksAt: offsets)
        }
    }

    /// A catalog of devices that are listed and probed in another way, for tests.
    init(
        seconds: Int, willProbe: @escaping (String) -> Void, list: @escaping () throws(Failure) -> [Entry],
        ask: @escaping (String) throws(Failure) -> DeviceAnswer
    ) {
        probe = IsolatedProbe(seconds: seconds, ask: ask)
        self.list = list
        self.willProbe = willProbe
    }

    /// Looks which devices there are, and probes those that are new or have another size. Those that could not be read are
    /// asked again, but once a second at most; one that did not answer in time is not.
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

    /// The device with this number.
    public func entry(_ device: DeviceNumber) -> Entry? { entries.first { $0.device == device } }

    /// The device at a path, which may be a link to its node.
    public func entry(at path: String) -> Entry? { DeviceNumber(path: path).flatMap { entry($0) } }

    /// The paths of devices that did not answer in time.
    public var unanswered: [String] {
        entries.filter { $0.failure?.errno == ErrorNumber.timedOut }.map { $0.path }
    }

    /// The paths of all devices that a name means. A path means itself if anything is there.
    /// - Parameter content: what a device holds as far as names are concerned, if not what libblkid says.
    public func paths(
        named name: DeviceName, content: (Entry) -> BlockDeviceContent = { $0.content }
    ) -> [String] {
        if case .path(let path) = name { return exists(path) ? [path] : devices(linkedFrom: path) ?? [] }
        return entries.filter { name.matches(path: $0.path, content($0)) }.map { $0.path }
    }

    /// The paths of the devices that a name means, never none, as soon as there are some. Only what is new meanwhile is
    /// probed.
    ///
    /// - Parameters:
    ///   - seconds: how long to wait for one to appear; nil waits for ever.
    ///   - whileWaiting: is called before each look at the devices.
    /// - Throws: if none has appeared in time; the reason names devices that do not answer.
    public func wait(
        for name: DeviceName, seconds: Int?, whileWaiting: () -> Void = {},
        content: (Entry) -> BlockDeviceContent = { $0.content }
    ) throws(Failure) -> [String] {
        let start = monotonicMilliseconds()
        if case .path(let path) = name, !exists(path), isLink(path), devices(linkedFrom: path) == nil {
            throw Failure(
                "find", path, "only udev knows which device that is",
                remedy: "use UUID=, LABEL=, PARTUUID= or PARTLABEL=")
        }
        while true {
            whileWaiting()
            // Before the look: it may take long, and what appears meanwhile is seen by one more.
            let now = monotonicMilliseconds()
            // A path is there or not, whatever is on it and whatever the other devices answer.
            if case .path = name {} else { try refresh() }
            let paths = paths(named: name, content: content)
            if !paths.isEmpty { return paths }
            if let seconds, now - start >= UInt64(seconds) * 1000 {
                let reason = seconds == 0 ? "there is no such device" : "it has not appeared within \(seconds) s"
                if case .path = name { throw Failure("find", name.description, reason) }
                if let failure = permissionFailure { throw failure }
                throw Failure("find", name.description, reason + unansweredPhrase)
            }
            sleep(milliseconds: 20)
        }
    }

    /// Devices that do not answer or cannot be read, as an addition to a reason; empty for none.
    public var unansweredPhrase: String {
        var phrase = unanswered.isEmpty ? "" : ", and no answer came from \(unanswered.joined(separator: ", "))"
        for entry in unreadable { phrase += ", and \(entry.path) cannot be read: \(entry.failure?.reason ?? "")" }
        return phrase
    }

    /// The devices that could not be read, for another reason than that they did not answer in time or hold no medium.
    public var unreadable: [Entry] {
        entries.filter { entry in
            guard let number = entry.failure?.errno else { return false }
            return number != ErrorNumber.timedOut && !entry.hasNoMedium
        }
    }

    /// The devices that may hold anything, and nobody can see it: they did not answer, or a disk cannot be read whose medium
    /// cannot be out.
    public var hidden: [Entry] {
        entries.filter { entry in
            guard let number = entry.failure?.errno else { return false }
            return number == ErrorNumber.timedOut
                || !entry.isRemovable && ![ErrorNumber.noMedium, ErrorNumber.noAddress].contains(number)
        }
    }

    /// Refuses a device that did not answer when it was probed: whoever opens it may wait for ever.
    public func requireAnswer(from path: String) throws(Failure) {
        let found = entries.first { $0.path.utf8.elementsEqual(path.utf8) } ?? entry(at: path)
        if let failure = found?.failure, failure.errno == ErrorNumber.timedOut { throw failure }
    }

    /// Why nobody but root learns more, if that is so.
    public var permissionFailure: Failure? {
        isRoot ? nil : entries.compactMap { $0.failure }.first { ErrorNumber.areDenials.contains($0.errno) }
    }
}

/// The block devices that have a size, partitions included, in no order: /sys/class/block.
private func listBlockDevices() throws(Failure) -> [DeviceCatalog.Entry] {
    var entries: [DeviceCatalog.Entry] = []
    for path in try blockDevicePaths() {
        // A device that vanishes while we look at it is no failure.
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

/// Whether the medium of a disk, or of a partition's disk, can be taken out (block/genhd.c, `removable`, Linux
/// 6.12; partitions lie in the folder of their disk).
private func isRemovable(_ device: DeviceNumber) -> Bool {
    let folder = "/sys/dev/block/\(device)"
    let text = (try? readText("\(folder)/removable")) ?? (try? readText("\(folder)/../removable")) ?? ""
    return trimmed(text) == "1"
}

/// What libblkid finds on a device, and some of its blocks.
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
