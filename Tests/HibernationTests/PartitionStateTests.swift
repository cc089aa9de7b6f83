// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory
import Testing

@testable import Hibernation

@Suite struct PartitionStateTests {
    @Test func describesEachStateDifferently() {
        let states: [Superblock.State] = [.empty, .saving, .ready, .attempted, .consumed, .failed, .snapshot]
        var superblock = Superblock(uuid: .zero, label: "", deviceByteCount: 0)
        let phrases = states.map { state in
            superblock.state = state
            return superblock.stateDescription
        }
        #expect(Set(phrases).count == states.count)
    }
}
