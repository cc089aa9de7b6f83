// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Linux
import Testing

@testable import Hibernation

@Suite struct PreparationTests {
    @Test func refusesALimitThatLoadingWouldReach() throws {
        let system = try FakeSystem()
        let path = "\(system.root)/kernel"
        try Data(count: 10 << 20).write(to: URL(filePath: path))
        let plan = Hibernate(device: nil, kernelPath: path, initrdPath: "/nowhere")
        let needed = Hibernate.loadByteCount(10 << 20, 0)
        #expect(needed > 20 << 20)
        func limit(_ bytes: UInt64) -> MemoryLimit { MemoryLimit(bytes: bytes, name: "its limit", remedy: "raise it") }
        try plan.requireMemoryForLoading(nil, [])
        try plan.requireMemoryForLoading(limit(needed), [limit(needed)])
        for (group, own) in [(limit(needed - 1), []), (nil, [limit(needed), limit(needed - 1)])]
            as [(MemoryLimit?, [MemoryLimit])]
        {
            let failure = #expect(throws: Failure.self) { try plan.requireMemoryForLoading(group, own) }
            #expect(failure?.reason.contains("its limit leaves") == true && failure?.remedy == "raise it")
        }
    }

    @Test func sizesThatFilesClaimDoNotTrap() {
        #expect(Hibernate.loadByteCount(.max, .max) < 2 << 30)
        #expect(Hibernate.loadByteCount(-1, 0) == 8 << 20)
    }
}
