// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux

@testable import MemoryImage

/// What a disk takes, what may be written to it, and what goes wrong.
extension SimulatedDisk {
    // MARK: Rules

    /// The offset as a number, if O_DIRECT takes the call.
    func place(
        _ offset: UInt64, _ count: Int, _ address: UnsafeRawPointer?, _ operation: String
    ) throws(Failure) -> Int {
        let isAligned =
            offset % UInt64(sectorSize) == 0 && count % sectorSize == 0
            && UInt(bitPattern: address) % UInt(sectorSize) == 0
        guard isAligned else {
            note(misuse: "a \(operation) of \(count) bytes at \(offset) is not aligned to sectors of \(sectorSize)")
            throw Failure(operation, path, errno: EINVAL)
        }
        guard offset <= UInt64(size), count <= size - Int(offset) else {
            if operation != "read" {
                note(misuse: "a \(operation) of \(count) bytes at \(offset) ends behind the disk")
            }
            throw Failure(operation, path, "it ends at byte \(size)")
        }
        return Int(offset)
    }

    func requireWritable(_ start: Int, _ count: Int, _ areZeros: Bool) {
        if count == 0 { return }
        let isAllowed: Bool
        switch writable {
        case .nothing: isAllowed = false
        case .everything: isAllowed = true
        case .dataArea(let end): isAllowed = start >= Int(Superblock.dataOffset) && start + count <= end
        case .partition(let end):
            let isSlot = Superblock.slotOffsets.contains(UInt64(start)) && count == Superblock.byteCount
            // In the last MiB others have their signatures: only zeros belong there.
            let dataEnd = areZeros ? end : end - Int(Superblock.tailByteCount)
            isAllowed = isSlot || start >= Int(Superblock.dataOffset) && start + count <= dataEnd
        }
        if !isAllowed { note(misuse: "\(count) bytes at \(start) were written, which are not the image's") }
    }

    func note(misuse text: String) { if misuse == nil { misuse = text } }

    /// The second superblock in a row of an image that is over, if nobody writes that.
    func isDropped(_ buffer: UnsafeRawBufferPointer) -> Bool {
        defer { lastSlotWritten = Array(buffer) }
        guard mistake == .retiredInOneSlot, let last = try? Superblock(decoding: lastSlotWritten),
            let next = try? Superblock(decoding: Array(buffer))
        else { return false }
        return next.generation == last.generation + 1 && next.state == last.state && next.imageUUID == last.imageUUID
    }

    // MARK: What goes wrong

    func nextCallIsCut() -> Bool {
        guard !isObserved, let calls = plan.callsUntilPowerCut else { return false }
        plan.callsUntilPowerCut = calls - 1
        return calls <= 0
    }

    /// The error of a call that fails; nil if it does not.
    func failing(_ operation: DiskFault.Operation) -> CInt? {
        guard !isObserved, var fault = plan.fault, fault.operation == operation else { return nil }
        fault.countdown -= 1
        plan.fault = fault.countdown < 0 && !fault.isPermanent ? nil : fault
        guard fault.countdown < 0 else { return nil }
        wasDisturbed = true
        trace?("  that \(operation) fails")
        return fault.errno
    }

    func cut(_ operation: String) -> Failure {
        isOff = true
        wasDisturbed = true
        trace?("  the power fails during that \(operation)")
        return powerCut(operation)
    }

    func powerCut(_ operation: String) -> Failure { Failure(operation, path, "the power is off") }
}
