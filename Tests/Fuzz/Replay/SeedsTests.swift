// SPDX-License-Identifier: Apache-2.0
import Foundation
import FuzzTargets
import Testing

/// With TORPOR_WRITE_CORPUS set, writes the seeds of all targets into the corpus.
@Suite struct SeedsTests {
    @Test(.enabled(if: ProcessInfo.processInfo.environment["TORPOR_WRITE_CORPUS"] != nil)) func writesTheSeeds() throws
    {
        let corpus = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Corpus")
            .standardizedFileURL
        for target in FuzzTarget.all {
            let folder = corpus.appending(path: target.name)
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
            for (number, seed) in target.seeds.enumerated() {
                try Data(seed).write(to: folder.appending(path: "seed-\(number + 1)"))
            }
        }
    }

    /// A seed that is refused would let the fuzzer begin at nothing.
    @Test func seedsReachTheirTargets() throws {
        for target in FuzzTarget.all {
            #expect(!target.seeds.isEmpty, "\(target.name) has no seed")
            for seed in target.seeds { seed.withUnsafeBytes { target.run($0) } }
        }
    }
}
