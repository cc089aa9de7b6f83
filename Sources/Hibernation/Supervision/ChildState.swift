// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import Synchronization

/// The state that PID 1 and its child share: one shared mapping, made before the fork. The child writes, PID 1 reads. The last
/// written state survives the child, however it ends.
///
/// `@unchecked Sendable`: the numbers are atomic. If a text changes while PID 1 reads it, the result may be mixed, but it never
/// has bytes from outside the mapping.
final class ChildState: @unchecked Sendable {
    /// The stages of a role, in their order.
    enum Stage: UInt32 {
        /// Looking for devices, reading, checking.
        case preparing = 0
        /// Moving pages.
        case working = 1
        /// The point of no return is about to be written, or has been.
        case committing = 2
        /// The point of no return: the image is `ready` or `snapshot` in kernel B, `consumed` in kernel C.
        case committed = 3
    }

    private let memory: Mapping
    /// Byte offsets and sizes of the texts. Before them are the numbers, 8 bytes each.
    private static let textOffset = 256, textLimit = 1024
    private static let activityOffset = 1280, activityLimit = 256

    init() throws(Failure) { memory = try Mapping(anonymous: 8192, isShared: true) }

    private func word(_ number: Int) -> UnsafeMutablePointer<Atomic<UInt64>>? {
        memory.bytes.baseAddress?.advanced(by: number * 8).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    private func load(_ number: Int) -> UInt64 { word(number)?.pointee.load(ordering: .acquiring) ?? 0 }
    private func store(_ number: Int, _ value: UInt64) { word(number)?.pointee.store(value, ordering: .releasing) }

    var stage: Stage {
        get { Stage(rawValue: UInt32(truncatingIfNeeded: load(0))) ?? .preparing }
        set { store(0, UInt64(newValue.rawValue)) }
    }
    /// Pages to move: those with data, and those of zeros.
    var totalPages: UInt64 {
        get { load(1) }
        set { store(1, newValue) }
    }
    /// Pages with data among them; nil if unknown.
    var totalDataPages: UInt64? {
        get { load(11) == 0 ? nil : load(11) &- 1 }
        set { store(11, newValue.map { $0 &+ 1 } ?? 0) }
    }
    /// Pages of data moved so far.
    var pages: UInt64 { load(2) }
    func add(pages: UInt64) { word(2)?.pointee.add(pages, ordering: .relaxed) }
    /// Pages of zeros seen or cleared so far.
    var zeroPages: UInt64 { load(12) }
    func add(zeroPages: UInt64) { word(12)?.pointee.add(zeroPages, ordering: .relaxed) }
    /// A counter that grows with all work of the child. If it stops, the child hangs.
    var heartbeat: UInt64 { load(3) &+ load(2) &+ load(12) }
    func beat() { word(3)?.pointee.add(1, ordering: .relaxed) }

    /// The size of the image that was saved, without free pages.
    var counts: ImageCounts {
        get {
            var bytes: [UInt8] = []
            for number in ChildState.countWords { bytes.append(littleEndian: load(number)) }
            var counts = ImageCounts(), reader = FieldReader(bytes, of: "the counts")
            try? counts.fields(&reader, at: 0)
            return counts
        }
        set {
            var counts = newValue, writer = FieldWriter(byteCount: ImageCounts.byteCount)
            counts.fields(&writer, at: 0)
            let fields = writer.bytes.span.bytes
            for (i, number) in ChildState.countWords.enumerated() {
                store(number, (try? fields.integer(at: i * 8)) ?? 0)
            }
        }
    }
    private static let countWords = 4..<4 + ImageCounts.byteCount / 8

    /// The byte offset at which the hibernation partition's contents end while an image is saved; 0 before.
    var contentsEnd: UInt64 { load(15) }
    func note(contentsEnd: UInt64) { word(15)?.pointee.max(contentsEnd, ordering: .relaxed) }

    /// Milliseconds from the start of this kernel until the child began to save pages; 0 before.
    var startMilliseconds: UInt64 {
        get { load(24) }
        set { store(24, newValue) }
    }

    /// The image that the role is about, as soon as it is known; zero before.
    var imageUUID: UUID {
        get {
            var bytes: [UInt8] = []
            for number in 9...10 { bytes.append(littleEndian: load(number)) }
            return UUID(bytes: bytes) ?? .zero
        }
        set {
            let fields = newValue.bytes.span.bytes
            for number in 0...1 { store(9 + number, (try? fields.integer(at: number * 8)) ?? 0) }
        }
    }

    /// The image that the role is about; nil if none is known.
    var image: UUID? { imageUUID == .zero ? nil : imageUUID }

    /// How the work ended before it was done; nil if it was done, or if the child was killed for another reason or trapped.
    enum Ending: UInt64 {
        /// The child gave up for a reason that time or a person can remove.
        case failed = 1
        /// The child gave up for a reason that nothing can remove; see `Failure.isFinal`.
        case failedForGood = 2
        /// A person stopped it with a key, and PID 1 killed the child.
        case stopped = 3
    }
    var ending: Ending? {
        get { Ending(rawValue: load(13)) }
        set { store(13, newValue?.rawValue ?? 0) }
    }
    /// The result of the child's work, as a number; 0 if there is none.
    var answer: UInt64 {
        get { load(14) }
        set { store(14, newValue) }
    }

    /// Why the child gave up, as a sentence.
    var text: String {
        get { field(at: ChildState.textOffset, limit: ChildState.textLimit) }
        set { set(newValue, at: ChildState.textOffset, limit: ChildState.textLimit) }
    }

    /// An operation of the child that may never end, as a phrase: `reading /dev/sda`; empty if there is none.
    var activity: String {
        get { field(at: ChildState.activityOffset, limit: ChildState.activityLimit) }
        set { set(newValue, at: ChildState.activityOffset, limit: ChildState.activityLimit) }
    }

    private func field(at offset: Int, limit: Int) -> String {
        String(decoding: memory.bytes[offset..<offset + limit].prefix { $0 != 0 }, as: UTF8.self)
    }

    private func set(_ text: String, at offset: Int, limit: Int) {
        var bytes = [UInt8](repeating: 0, count: limit)
        bytes.put(text: text, at: 0, limit: limit)
        UnsafeMutableRawBufferPointer(rebasing: memory.bytes[offset...]).copyBytes(from: bytes)
    }
}
