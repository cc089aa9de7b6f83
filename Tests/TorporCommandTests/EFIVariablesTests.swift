// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import TorporCommand

@Suite struct EFIVariablesTests {
    private let fixture: CommandFixture
    private var boot: FakeBoot { fixture.boot }
    private var variables: EFIVariables { EFIVariables(system: boot.system) }

    init() throws { fixture = try CommandFixture() }

    @Test func readsText() throws {
        #expect(!variables.areReadable && variables.text("LoaderInfo") == nil)
        try boot.setVariable("LoaderInfo", "systemd-boot 252 ä")
        #expect(variables.areReadable && variables.text("LoaderInfo") == "systemd-boot 252 ä")
    }

    /// efivarfs shows a variable as an empty file if the boot loader removed it meanwhile.
    @Test(arguments: [[], [7, 0, 0], [7, 0, 0, 0], [7, 0, 0, 0, 0]] as [[UInt8]])
    func takesWhatIsCutOffForNothing(bytes: [UInt8]) throws {
        try boot.write(boot.variable("LoaderEntryOneShot"), Data(bytes))
        #expect(variables.text("LoaderEntryOneShot") ?? "" == "")
    }

    /// Attributes: non-volatile, at boot time, at run time. Then UTF-16 with a zero at the end.
    @Test func writesTextAsTheBootLoaderReadsIt() throws {
        try boot.make(EFIVariables.folder)
        try variables.set("LoaderEntryOneShot", "a longer value")
        try variables.set("LoaderEntryOneShot", "ab")
        #expect(boot.data(boot.variable("LoaderEntryOneShot")) == Data([7, 0, 0, 0, 0x61, 0, 0x62, 0, 0, 0]))
        try variables.set("LoaderEntryOneShot", nil)
        #expect(boot.files(EFIVariables.folder) == [])
        try variables.set("LoaderEntryOneShot", nil)
    }
}
