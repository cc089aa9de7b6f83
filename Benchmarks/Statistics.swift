// SPDX-License-Identifier: Apache-2.0

/// The median: the middle value, or the mean of the two in the middle.
func median(_ values: [Double]) -> Double {
    guard !values.isEmpty else { return 0 }
    let sorted = values.sorted()
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
}

/// Pairs of runs of Torpor and a peer, taken in turn.
struct Comparison: Codable {
    var mebibytes: Int
    var contents: Contents
    var peer: Hibernator
    var torporSamples: [Sample] = []
    var peerSamples: [Sample] = []

    init(_ mebibytes: Int, _ contents: Contents, _ peer: Hibernator) {
        self.mebibytes = mebibytes
        self.contents = contents
        self.peer = peer
    }

    /// The median of the pairs' ratios, Torpor's figure divided by the peer's.
    func ratio(_ figure: (Sample) -> Double) -> Double {
        median(zip(torporSamples, peerSamples).map { figure($0) / figure($1) })
    }
}
