// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// The options of `check` for what a hibernation would take.
struct EstimateOptions: ParsableArguments {
    @Flag(help: "Estimate the size of the image and the time to save and to resume; takes a few seconds.")
    var estimate = false

    @Option(help: "Fail if a hibernation is estimated to take longer than this many seconds.")
    var deadline: UInt64?

    func validate() throws {
        guard deadline == nil || estimate else {
            throw ValidationError("--deadline has a meaning only with --estimate.")
        }
        guard deadline ?? 1 <= 1_000_000 else { throw ValidationError("--deadline takes at most 1000000 seconds.") }
    }
}
