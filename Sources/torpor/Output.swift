import Basics
import CLinux
import FoundationEssentials
import Linux

/// Prints a line on standard output; what somebody else wrote on a disk is shown, and does not steer the terminal.
func show(_ line: String) { print(printable(line)) }

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

/// Ends the program; what was printed is written out, or the program has failed.
func endProgram(status: Int32) -> Never {
    do throws(Failure) { try flushStandardOutput() } catch {
        print(error)
        exit(max(status, 1))
    }
    exit(status)
}

/// Prints a value as JSON with sorted keys.
func print(json value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    print(printable(json: String(decoding: try encoder.encode(value), as: UTF8.self)))
}
