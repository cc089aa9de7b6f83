// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Hibernation

@Suite struct StepTests {
    /// A step that no role has could never fail, and one without a name could not be asked to.
    @Test func rolesHaveAllSteps() {
        #expect(Set(Step.save + Step.restore + Step.secondStage) == Set(Step.allCases))
        for step in Step.allCases {
            for kind in Fault.Kind.allCases { #expect(Fault("\(step.rawValue):\(kind.rawValue)")?.step == step) }
        }
    }

    /// Before kernel B writes anything, and its own memory before all that looks at kernel A's.
    @Test func kernelBChecksFirst() throws {
        func index(_ step: Step) throws -> Int { try #require(Step.save.firstIndex(of: step)) }
        #expect(try index(.ownMemory) == index(.session) + 1, "only the session's note is read before it")
        #expect(try index(.machine) < index(.partition) && index(.machine) < index(.begin))
    }
}
