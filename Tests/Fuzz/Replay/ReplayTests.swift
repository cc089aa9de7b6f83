// SPDX-License-Identifier: Apache-2.0
import Foundation
import FuzzTargets
import Testing

/// Every input of the corpus, seeds and former findings, goes through its target. A broken promise ends the test program.
@Suite struct ReplayTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Corpus")
        .standardizedFileURL

    private func inputs(_ target: FuzzTarget) throws -> [URL] {
        try FileManager.default.contentsOfDirectory(
            at: Self.corpus.appending(path: target.name), includingPropertiesForKeys: nil)
    }

    @Test(arguments: FuzzTarget.all.map(\.name)) func replaysTheCorpus(name: String) throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        let inputs = try inputs(target)
        #expect(!inputs.isEmpty, "\(name) has no corpus")
        for input in inputs {
            let bytes = try Data(contentsOf: input)
            bytes.withUnsafeBytes { target.run($0) }
            // Cut short, and with each of its first bytes changed, it is another input each time.
            for count in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 64)) {
                Data(bytes.prefix(count)).withUnsafeBytes { target.run($0) }
            }
            for place in bytes.indices.prefix(128) {
                var changed = bytes
                changed[place] ^= 0x80
                changed.withUnsafeBytes { target.run($0) }
            }
        }
    }

    /// A folder that no target has would never be replayed.
    @Test func everyFolderHasATarget() throws {
        let folders = try FileManager.default.contentsOfDirectory(atPath: Self.corpus.path)
        #expect(Set(folders) == Set(FuzzTarget.all.map(\.name)))
    }
}
