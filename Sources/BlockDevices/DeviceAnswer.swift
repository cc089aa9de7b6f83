// SPDX-License-Identifier: Apache-2.0
import Basics
import BlockStore

/// The result of probing a device, and its encoding for the pipe from the probing process.
///
/// The encoding: the number of the device (4 bytes), then fields: a tag (4), the size of the value (4) and the value.
struct DeviceAnswer: Sendable {
    var content = BlockDeviceContent()
    /// The requested blocks, in order; fewer if the device is too small.
    var blocks: [[UInt8]] = []
    /// The hardware's own identity, from `hardwareIdentity`.
    var hardware: String?
    var failure: Failure?

    /// The maximum size of an encoded answer, in bytes.
    static let limit = 1 << 20

    // The texts of the content have the tags from 0 on.
    private static let blockTag: UInt32 = 64, failureTag: UInt32 = 65, errnoTag: UInt32 = 66, hardwareTag: UInt32 = 67

    func encoded(number: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append(littleEndian: number)
        func add(_ tag: UInt32, _ value: some Collection<UInt8>) {
            bytes.append(littleEndian: tag)
            bytes.append(littleEndian: UInt32(value.count))
            bytes += value
        }
        for (tag, text) in content.texts.enumerated() {
            if let text { add(UInt32(tag), Array(text.utf8)) }
        }
        if let hardware { add(DeviceAnswer.hardwareTag, Array(hardware.utf8)) }
        for block in blocks { add(DeviceAnswer.blockTag, block) }
        if let failure {
            for text in [failure.operation, failure.operand, failure.reason] {
                add(DeviceAnswer.failureTag, Array(text.utf8))
            }
            var number: [UInt8] = []
            number.append(littleEndian: failure.errno)
            add(DeviceAnswer.errnoTag, number)
        }
        return bytes
    }

    /// - Throws: if the bytes are malformed or the answer of another device.
    init(decoding bytes: [UInt8], number expected: UInt32) throws(Failure) {
        let fields = bytes.span.bytes
        guard try fields.integer(at: 0, as: UInt32.self) == expected else {
            throw Failure("probe", "a device", "the answer belongs to another device")
        }
        var texts: [String] = []
        var offset = 4
        while offset < bytes.count {
            let tag: UInt32 = try fields.integer(at: offset)
            let count = Int(try fields.integer(at: offset + 4, as: UInt32.self))
            let value = try fields.copy(at: offset + 8, count: count)
            offset += 8 + count
            switch tag {
            case DeviceAnswer.blockTag: blocks.append(value)
            case DeviceAnswer.hardwareTag: hardware = String(decoding: value, as: UTF8.self)
            case DeviceAnswer.failureTag: texts.append(String(decoding: value, as: UTF8.self))
            case DeviceAnswer.errnoTag:
                guard texts.count == 3 else { throw Failure("probe", "a device", "the answer is malformed") }
                failure = Failure(texts[0], texts[1], texts[2], errno: try value.span.bytes.integer(at: 0))
            default: content.set(Int(tag), String(decoding: value, as: UTF8.self))
            }
        }
    }

    init() {}
}

extension BlockDeviceContent {
    /// The texts, in the order of the numbers of `set`.
    fileprivate var texts: [String?] {
        [type, usage, uuid, subUUID, label, partitionUUID, partitionLabel, partitionType, tableType]
    }

    fileprivate mutating func set(_ number: Int, _ text: String) {
        switch number {
        case 0: type = text
        case 1: usage = text
        case 2: uuid = text
        case 3: subUUID = text
        case 4: label = text
        case 5: partitionUUID = text
        case 6: partitionLabel = text
        case 7: partitionType = text
        case 8: tableType = text
        default: break
        }
    }
}
