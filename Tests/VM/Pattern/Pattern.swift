// SPDX-License-Identifier: Apache-2.0
import Basics
import CLinux
import Linux

/// Fills memory with a different pattern in each page, waits, and compares every page.
///
/// `pattern fill MIB FILE`: fills MIB mebibytes, makes FILE.filled, waits for FILE, then compares.
/// `pattern zero MIB`: allocates MIB mebibytes and checks that all of them are zero.
/// `pattern poison PAGES`: makes the kernel treat PAGES pages as broken.
@main
struct Pattern {
    static func main() {
        do throws(Failure) {
            // Embedded Swift has no CommandLine.
            let words = try readFile("/proc/self/cmdline").split(separator: 0).dropFirst()
                .map { String(decoding: $0, as: UTF8.self) }
            guard words.count >= 2, let mebibytes = parseNumber(words[1]) else {
                throw Failure("pattern", "", "usage: pattern fill MIB FILE | pattern zero MIB | pattern poison PAGES")
            }
            if words[0] == "poison" { return try poison(Int(mebibytes)) }
            let memory = try Mapping(anonymous: Int(mebibytes) << 20)
            if words[0] == "fill", words.count == 3 {
                try fill(memory, words[2])
            } else {
                try expect(memory) { _, _ in 0 }
            }
            print("\(memory.bytes.count / Int(pageSize)) pages are right")
        } catch {
            print(error.description)
            exit(1)
        }
    }

    /// Fills pages and makes the kernel treat them as broken; nothing uses them any more. The corresponding C function is
    /// `madvise` with MADV_HWPOISON, which is 100 (<asm-generic/mman-common.h>).
    ///
    /// The pages lie above N of a small machine: kernel A refuses to hibernate with a broken page below N.
    private static func poison(_ count: Int) throws(Failure) {
        let memory = try Mapping(anonymous: 64 << 20)
        guard let start = memory.bytes.baseAddress else { return }
        memset(start, 0x5a, memory.bytes.count)
        let lowestFrame: UInt64 = (128 << 20) / pageSize
        let frames = try pageFrames(of: memory.bytes)
        var first = 0
        // One call for all of them: the first page that breaks may end this process.
        while first + count <= frames.count {
            if frames[first..<first + count].allSatisfy({ $0 >= lowestFrame }) { break }
            first += 1
        }
        guard first + count <= frames.count else { throw Failure("poison", "\(count) pages", "all lie below N") }
        guard madvise(start + first * Int(pageSize), count * Int(pageSize), 100) == 0 else {
            throw Failure(lastError: "poison", "\(count) pages")
        }
    }

    private static func fill(_ memory: borrowing Mapping, _ name: String) throws(Failure) {
        let words = memory.bytes.assumingMemoryBound(to: UInt64.self)
        for i in 0..<words.count { words[i] = word(i / 512, i % 512) }
        close(torpor_open(name + ".filled", O_CREAT | O_WRONLY, 0o644))
        while !exists(name) { sleep(milliseconds: 20) }
        try expect(memory, word)
    }

    /// The word of a page at an index: all pages are different, and one in four is hard to compress.
    private static func word(_ page: Int, _ index: Int) -> UInt64 {
        let seed = UInt64(page) &* 0x9e37_79b9_7f4a_7c15
        return page % 4 == 0 ? (seed ^ UInt64(index)) &* 0xbf58_476d_1ce4_e5b9 : seed
    }

    private static func expect(
        _ memory: borrowing Mapping, _ expected: (Int, Int) -> UInt64
    ) throws(Failure) {
        let words = memory.bytes.assumingMemoryBound(to: UInt64.self)
        for i in 0..<words.count where words[i] != expected(i / 512, i % 512) {
            throw Failure("compare", "page \(i / 512)", "word \(i % 512) is 0x\(hexadecimal(words[i]))")
        }
    }
}
