// SPDX-License-Identifier: Apache-2.0
import Foundation
import Machines

/// Hibernates a Debian guest with PostgreSQL under load, whose kernel has the distribution's configuration, in each way that a
/// user can choose. `make stock` makes the guest.
struct StockBenchmark {
    /// One way to hibernate the guest and to start the machine afterwards.
    struct Way: Codable {
        var name: String
        var samples: [Sample] = []
    }

    private static let ways: [(name: String, hibernator: DebianGuest.Hibernator, isDirect: Bool)] = [
        ("the kernel's own hibernation", .kernel, false), ("Torpor, small kernel, ordinary start", .small, false),
        ("Torpor, small kernel, direct start", .small, true),
        ("Torpor, the guest's kernel, ordinary start", .own, false),
        ("Torpor, the guest's kernel, direct start", .own, true),
    ]

    /// Runs all ways in turn.
    func run(times: Int, log: (String) -> Void) throws -> [Way] {
        var ways = Self.ways.map { Way(name: $0.name) }
        for _ in 0..<times {
            for (number, way) in Self.ways.enumerated() {
                let sample = try runOnce(way.hibernator, isDirect: way.isDirect)
                log(String(format: "bench: %@: save %.1f s, resume %.1f s", way.name, sample.save, sample.resume))
                ways[number].samples.append(sample)
            }
        }
        return ways
    }

    private func runOnce(_ hibernator: DebianGuest.Hibernator, isDirect: Bool) throws -> Sample {
        let lab = try Lab("bench-stock")
        let guest = try DebianGuest(.grubUEFI, hibernator, isDirect: isDirect, in: lab)
        let saved = try lab.run(guest.machine("a"))
        try saved.requireNoFailure()
        let stored = try guest.hibernationByteCount()
        let resumed = try lab.run(guest.machine("c"))
        try resumed.requireNoFailure()
        guard let trigger = saved.time(of: "trigger"), let running = resumed.time(of: "woke") else {
            throw Machine.Failed(description: "the guest did not come back; the consoles are in \(lab.folder.path)")
        }
        return Sample(save: saved.seconds - trigger, resume: running, stored: Double(stored))
    }
}
