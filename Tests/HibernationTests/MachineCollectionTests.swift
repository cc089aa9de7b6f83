// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory
import Testing

@testable import Hibernation

@Suite struct MachineCollectionTests {
    @Test(arguments: [
        ("flags\t\t: fpu la57 sse\n", true), ("flags\t\t: fpu la57\n", true), ("flags\t\t: fpu sse la570\n", false),
        ("bugs : la57\n", false), ("", false),
    ])
    func recognizesFiveLevelPaging(text: String, expected: Bool) {
        #expect((processorFlags(inLine: text) ?? []).contains("la57") == expected)
    }

    /// CPUs that were plugged in are not there after power-on.
    @Test func refusesPluggedCPUsInKernelA() throws {
        let two = PresentProcessors(count: 2, isInFirmware: true)
        try MachineIdentity.requireOnlineProcessors(2, two)
        try MachineIdentity.requireOnlineProcessors(4, nil)
        #expect(throws: Failure.self) { try MachineIdentity.requireOnlineProcessors(3, two) }
    }
}
