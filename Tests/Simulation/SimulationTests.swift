// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// Saves, power cuts, errors, looks, recoveries and resumes on a simulated disk, each life from a seed.
///
/// `TORPOR_SEED` repeats one life, `TORPOR_RUNS` sets how many there are.
@Suite struct SimulationTests {
    private static let environment = ProcessInfo.processInfo.environment
    /// Lives in `make unit`, and in `make torture`.
    private static let standardCount = environment["TORPOR_TORTURE"] == nil ? 1000 : 100_000

    @Test func noLifeBreaksAnInvariant() throws {
        let chosen = Self.environment["TORPOR_SEED"].flatMap { UInt64($0) }
        let first = chosen ?? UInt64.random(in: 0...UInt64.max >> 16)
        let count = Self.environment["TORPOR_RUNS"].flatMap { Int($0) } ?? (chosen == nil ? Self.standardCount : 1)
        let simulation = try Simulation.shared.get()
        let result = simulation.run(first: first, count: count)
        let statistics = result.statistics
        let rate = UInt64(statistics.runs) * 1000 / max(1, result.milliseconds)
        print("simulation: \(statistics.runs) lives from seed \(first) on, \(rate) a second: \(statistics)")
        if let finding = result.finding {
            let trace = simulation.trace(finding.seed).joined(separator: "\n")
            Issue.record(
                """
                seed \(finding.seed) breaks an invariant: \(finding.violation.invariant.rawValue)
                \(finding.violation.detail)
                \(trace)
                To repeat it: TORPOR_SEED=\(finding.seed) swift test --disable-xctest --filter SimulationTests
                """)
        }
        guard count >= 500 else { return }
        // If these did not happen, nothing would be shown.
        #expect(statistics.powerCuts > count / 4 && statistics.errors > count / 20)
        #expect(statistics.completeImages > count / 10 && statistics.resumes > count / 50)
        #expect(statistics.erasures > count / 20 && statistics.formats > count / 20)
    }

    /// The same seed is the same life.
    @Test func aLifeFollowsFromItsSeed() throws {
        let simulation = try Simulation.shared.get()
        for seed: UInt64 in 100..<120 {
            let trace = simulation.trace(seed)
            #expect(trace == simulation.trace(seed) && trace.count > 2)
        }
    }
}
