// SPDX-License-Identifier: Apache-2.0
import Basics
import MemoryImage
import Testing

@testable import BlockDevices
@testable import Hibernation
@testable import Linux

/// A device as the catalog has it after probing.
struct CatalogDevice {
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

func superblock(
    _ uuid: UInt8, _ state: Superblock.State = .empty, label: String = "", generation: UInt64 = 1, image: UInt8 = 0
) -> Superblock {
    var superblock = Superblock(
        uuid: UUID(bytes: [UInt8](repeating: uuid, count: 16)) ?? .zero, label: label, deviceByteCount: 16 << 20)
    superblock.state = state
    superblock.generation = generation
    superblock.imageUUID = UUID(bytes: [UInt8](repeating: image, count: 16)) ?? .zero
    return superblock
}

func catalog(_ devices: [CatalogDevice], isRoot: Bool = true) -> DeviceCatalog {
    let catalog = DeviceCatalog(
        seconds: 10, isInChild: false, willProbe: { _ in },
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
