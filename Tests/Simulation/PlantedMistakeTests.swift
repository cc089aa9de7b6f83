// SPDX-License-Identifier: Apache-2.0
import Testing

/// The simulation sees mistakes: each one that is planted into the disk breaks an invariant within some lives.
@Suite struct PlantedMistakeTests {
    /// The invariants that a mistake may break first.
    private static func invariants(_ mistake: PlantedMistake) -> Set<Invariant> {
        switch mistake {
        case .neverFlushes, .onlySlotZero: [.oldOrNew, .complete]
        case .superblockBeforeData: [.complete, .erased, .contentsKnown]
        case .superblockNotFlushed: [.oldOrNew]
        case .retiredInOneSlot: [.retiredInBothSlots]
        case .writeErrorsIgnored, .flushErrorsIgnored: [.failedWrite, .complete, .oldOrNew, .erased, .contentsKnown]
        case .erasureNotFlushed: [.erased, .contentsKnown]
        case .writtenBehindTheEnd: [.nothingElseWritten]
        case .dataWrittenOver, .dataLeftOut: [.complete, .failedWrite]
        }
    }

    @Test(arguments: PlantedMistake.allCases) func isFound(mistake: PlantedMistake) throws {
        let simulation = try Simulation.shared.get()
        let result = simulation.run(first: 1, count: 1000, mistake: mistake)
        let finding = try #require(result.finding, "\(mistake) was not found in \(result.statistics.runs) lives")
        print("planted mistake \(mistake): found in life \(finding.number): \(finding.violation.invariant.rawValue)")
        #expect(
            Self.invariants(mistake).contains(finding.violation.invariant),
            "\(finding.violation.invariant.rawValue): \(finding.violation.detail)")
    }
}
