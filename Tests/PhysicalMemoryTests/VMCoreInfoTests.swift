// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import PhysicalMemory

@Suite struct VMCoreInfoTests {
    @Test func readsVMCoreInfo() {
        let text =
            "OSRELEASE=6.12\nSYMBOL(a)=ff80\nNUMBER(n)=-268435456\nNUMBER(p)=7\nSIZE(page)=64\nbroken\nEQ=a=b\n\0JUNK=1"
        let info = VMCoreInfo(Array(text.utf8))
        #expect(info.text("OSRELEASE") == "6.12")
        #expect(info.text("EQ") == "a=b")
        #expect(info.text("JUNK") == nil)
        #expect(info.symbol("a") == 0xff80)
        #expect(info.symbol("b") == nil)
        #expect(info.number("n") == -268_435_456)
        #expect(info.number("p") == 7)
        #expect(info.unsigned("SIZE(page)") == 64)
        #expect(VMCoreInfo(Array("NUMBER(x)=99999999999999999999".utf8)).number("x") == nil)
        #expect(VMCoreInfo(Array("NUMBER(x)=-".utf8)).number("x") == nil)
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
