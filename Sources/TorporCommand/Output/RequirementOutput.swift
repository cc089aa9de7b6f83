// SPDX-License-Identifier: Apache-2.0
import Basics
import Hibernation

/// A requirement for a hibernation, as JSON and as lines of text.
struct RequirementOutput: Encodable {
    let name, mark, value: String
    let remedy: String?

    init(_ requirement: Requirement, _ environment: CommandEnvironment) {
        name = requirement.name
        mark = requirement.mark.rawValue
        value = requirement.value
        remedy = requirement.remedy ?? (requirement.isDenied && !environment.isRoot ? "run this as root" : nil)
    }

    /// A line with the mark, and a line with the remedy if there is one.
    var lines: [String] {
        let width = RequirementOutput.markWidth
        let mark = "[\(mark)]".padded(to: width)
        return ["\(mark) \(name): \(value)"]
            + (remedy.map { [String(repeating: " ", count: width) + " -> \($0)"] } ?? [])
    }

    /// The columns of the longest mark, with its brackets.
    private static let markWidth = "[\(Requirement.Mark.warning.rawValue)]".count
}
