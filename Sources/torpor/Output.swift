import CLinux
import FoundationEssentials

/// Prints a line on standard error.
func print(error line: String) {
    let bytes = Array("\(line)\n".utf8)
    _ = bytes.withUnsafeBytes { write(2, $0.baseAddress, $0.count) }
}

/// Ends the program; what was printed is written out.
func endProgram(status: Int32) -> Never {
    fflush(nil)
    exit(status)
}

/// Prints a value as JSON with sorted keys.
func print(json value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    print(String(decoding: try encoder.encode(value), as: UTF8.self))
}
