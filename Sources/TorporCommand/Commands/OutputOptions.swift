// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics

/// How a command prints its result.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Print the result as JSON.")
    var json = false

    @Flag(help: "Print sizes in bytes.")
    var bytes = false

    /// A number of bytes, in the unit that the user wants.
    func size(_ count: UInt64) -> String { bytes ? "\(count)" : describe(bytes: count) }
}
