// SPDX-License-Identifier: Apache-2.0
import Foundation
import FuzzTargets

/// TORPOR_FUZZ_TARGET names the target.
private let target: FuzzTarget = {
    let name = ProcessInfo.processInfo.environment["TORPOR_FUZZ_TARGET"] ?? ""
    guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
        let names = FuzzTarget.all.map(\.name).joined(separator: " ")
        FileHandle.standardError.write(Data("TORPOR_FUZZ_TARGET is none of: \(names)\n".utf8))
        exit(2)
    }
    return target
}()

private typealias Arguments = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?

/// libFuzzer's driver (compiler-rt, `FuzzerInterface.h`); its own `main` gives way to the one that the package manager
/// expects of a program.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<Arguments>,
    _ one: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

@_cdecl("torpor_fuzz_main")
public func fuzzMain(_ count: CInt, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) -> CInt {
    var count = count
    var arguments = arguments
    return runDriver(&count, &arguments) { start, count in
        target.run(UnsafeRawBufferPointer(start: start, count: count))
        return 0
    }
}
