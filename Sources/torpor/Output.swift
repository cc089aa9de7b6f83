// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import FoundationEssentials
import Linux

/// Prints a line on standard output; what somebody else wrote on a disk is shown, and does not steer the terminal.
func show(_ line: String) { print(output: printable(line)) }

/// Prints text, or several lines, on standard output as it is.
func print(output text: String) { StandardOutput.shared.write("\(text)\n") }

/// Prints text on standard error, each of its lines as `show` does.
func print(error text: String) {
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map { printable(String($0)) }
    let bytes = Array("\(lines.joined(separator: "\n"))\n".utf8)
    _ = bytes.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
}

/// Prints a failure on standard error.
func print(_ failure: Failure) { print(error: "torpor: \(printable(sentence(failure)))") }

/// A failure as a sentence, with what helps if only root may do that.
func sentence(_ failure: Failure) -> String {
    var failure = failure
    if failure.remedy == nil, ErrorNumber.areDenials.contains(failure.errno), effectiveUserID() != 0 {
        failure.remedy = "run this as root"
    }
    return failure.description
}

/// Does a command's work; if it fails, what `--json` asks for is printed all the same: an object with the reason.
func reporting(_ output: OutputOptions, _ work: () throws -> Void) throws {
    do { try work() } catch let failure as Failure {
        if output.json { try print(json: FailureOutput(reason: sentence(failure))) }
        throw failure
    }
}

private struct FailureOutput: Encodable {
    let reason: String
}

/// Ends the program, which has failed if what it printed did not arrive.
func endProgram(status: Int32) -> Never {
    do throws(Failure) { try StandardOutput.shared.finish() } catch {
        print(error)
        exit(max(status, 1))
    }
    exit(status)
}

/// Prints a value as JSON with sorted keys.
func print(json value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    print(output: printable(json: String(decoding: try encoder.encode(value), as: UTF8.self)))
}
