// SPDX-License-Identifier: Apache-2.0
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
}
