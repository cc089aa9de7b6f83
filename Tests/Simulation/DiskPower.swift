// SPDX-License-Identifier: Apache-2.0
import Foundation
import Linux

@testable import MemoryImage

/// What becomes of the cache of a disk.
extension SimulatedDisk {
    /// Which sectors of the writes in the cache reach the medium.
    private enum Survival: CaseIterable {
        case all, none
        /// Each sector, or each write, or not.
        case sectors, writes
        /// Nearly all sectors, or hardly any.
        case most, few
        /// The writes in order up to one that is torn.
        case prefix
    }

    /// Moves writes from the cache to the medium, some of them or all, and forgets the others.
    private func settle(_ survival: Survival) {
        let last = survival == .prefix ? random.below(pending.count + 1) : pending.count
        for (number, write) in pending.enumerated() {
            let isWritten = survival == .writes && random.chance(50)
            let torn = number == last ? random.below(write.count / sectorSize + 1) : 0
            for sector in 0..<write.count / sectorSize {
                let survives =
                    switch survival {
                    case .all: true
                    case .none: false
                    case .sectors: random.chance(50)
                    case .writes: isWritten
                    case .most: !random.chance(4)
                    case .few: random.chance(4)
                    case .prefix: number < last || number == last && sector < torn
                    }
                if survives { copy(write, sector * sectorSize, sectorSize) }
            }
        }
        for write in pending { show(write) }
        clearCache()
        dataVersion &+= 1
    }

    /// Copies a part of a write in the cache to the medium.
    private func copy(_ write: PendingWrite, _ offset: Int, _ count: Int) {
        let target = medium.bytes.baseAddress?.advanced(by: write.offset + offset)
        guard let target else { return }
        if let bytes = bytes(of: write) {
            memcpy(target, bytes.advanced(by: offset), count)
        } else {
            memset(target, 0, count)
        }
    }

    /// Lets reads see what is on the medium.
    private func show(_ write: PendingWrite) {
        guard let seen = view.bytes.baseAddress, let kept = medium.bytes.baseAddress else { return }
        memcpy(seen.advanced(by: write.offset), kept.advanced(by: write.offset), write.count)
    }

    /// The power comes back after it failed: of what was not flushed, anything may be there.
    func powerOn() {
        settle(random.pick(Survival.allCases))
        isOff = false
        plan = DiskPlan()
    }

    /// The power fails now and comes back; nothing survives that was not flushed.
    func loseCache() {
        settle(.none)
        isOff = false
        plan = DiskPlan()
    }

    /// A flush that fails: some of the cache may be on the medium, and the rest lost; or all of it is still in the cache.
    func failFlush() {
        let survival = random.pick([Survival.all, Survival.none, .sectors, .writes, .few, nil, nil])
        if let survival { settle(survival) }
    }

    /// A flush that succeeds: the cache is on the medium.
    func persist() {
        switch mistake {
        case .neverFlushes: return
        case .superblockBeforeData: persist { $0.offset < Int(Superblock.dataOffset) }
        case .superblockNotFlushed: persist { $0.offset >= Int(Superblock.dataOffset) }
        default:
            for write in pending {
                guard let seen = view.bytes.baseAddress, let kept = medium.bytes.baseAddress else { return }
                memcpy(kept.advanced(by: write.offset), seen.advanced(by: write.offset), write.count)
            }
            clearCache()
        }
    }

    /// Moves only some of the writes to the medium. The others stay in the cache.
    private func persist(_ isPersisted: (PendingWrite) -> Bool) {
        for write in pending where isPersisted(write) { copy(write, 0, write.count) }
        pending.removeAll(where: isPersisted)
    }
}
