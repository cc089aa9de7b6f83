// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import PhysicalMemory

/// Tables that the running kernel writes as text: /proc/iomem and VMCOREINFO.
@Suite struct KernelTableTests {
    /// What a user without rights sees keeps its names and its nesting.
    @Test(arguments: ["", "00000000-00000000 : Reserved\n  00000000-00000000 : System ROM\n"])
    func saysThatAddressesAreHidden(text: String) {
        let failure = #expect(throws: Failure.self) { try parseIOMemory(text) }
        #expect(failure?.remedy == "run this as root")
    }

    @Test func takesWholePagesOfMemoryOnly() throws {
        let entries = try parseIOMemory(
            """
            00000800-000017ff : System RAM
            00001800-000027ff : System RAM
            00005001-00005fff : System RAM
            00006000-00006fff : System RAM (kmem)
            00007000-00007fff : system ram
            00008000-00009fff : Persistent Memory
              00008000-00009fff : System RAM
            """)
        // Two lines share the page at 0x1000: every byte of it is memory. What drivers added is memory too.
        #expect(systemMemory(entries) == [0x1000..<0x2000, 0x6000..<0x7000, 0x8000..<0xa000])
        #expect(entries.filter { $0.isDriverMemory }.map { $0.addresses } == [0x6000..<0x7000])
    }

    @Test(
        arguments: [
            ("NUMBER(a)=0", 0), ("NUMBER(a)=-1", -1), ("NUMBER(a)=9223372036854775807", Int64.max),
            ("NUMBER(a)=9223372036854775808", nil), ("NUMBER(a)=", nil), ("NUMBER(a)=--1", nil), ("NUMBER(aa)=1", nil),
            ("SYMBOL(a)=1", nil), ("NUMBER(a)=1\nNUMBER(a)=2", 1), ("NUMBER(a)", nil), ("=1", nil), ("", nil),
        ] as [(String, Int64?)])
    func readsNumbers(text: String, expected: Int64?) { #expect(VMCoreInfo(Array(text.utf8)).number("a") == expected) }

    @Test(
        arguments: [
            ("SYMBOL(a)=ffffffff81000000", 0xffff_ffff_8100_0000), ("SYMBOL(a)=0", 0), ("SYMBOL(a)=0x10", nil),
            ("SYMBOL(a)=10000000000000000", nil), ("SYMBOL(a)=", nil), ("SYMBOL(b)=1", nil),
        ] as [(String, UInt64?)])
    func readsSymbols(text: String, expected: UInt64?) { #expect(VMCoreInfo(Array(text.utf8)).symbol("a") == expected) }
}
