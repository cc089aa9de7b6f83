// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import MemoryImage
import PhysicalMemory
import Testing

@testable import Hibernation

@Suite struct KernelSurveyTests {
    @Test(
        arguments: [
            (64 << 20, true), (128 << 20, true), (0, false), (100 << 20, false), (576 << 20, false), (1 << 40, false),
        ] as [(UInt64, Bool)])
    func backupEndMustFit(end: UInt64, isRight: Bool) {
        let memory: [PhysicalRange] = [0x1000..<0x9f000, 0x10_0000..<0x3fff_0000]
        let failure: Failure?
        do throws(Failure) {
            try KernelSurvey.check(backupEnd: end, memory)
            failure = nil
        } catch { failure = error }
        #expect((failure == nil) == isRight, "\(failure?.description ?? "")")
        if let failure { #expect(failure.remedy != nil) }
    }

    @Test func findsACPIsRootTable() {
        var parameters = [UInt8](repeating: 0, count: 4096)
        #expect(findRSDP(parameters, systab: "") == 0)
        #expect(findRSDP([], systab: "ACPI=0x10\nACPI20=0x20\nSMBIOS=0x30\n") == 0x20)
        #expect(findRSDP(parameters, systab: "ACPI=0x10\n") == 0x10)
        parameters.put(UInt64(0x40), at: 0x70)
        #expect(findRSDP(parameters, systab: "ACPI20=0x20\n") == 0x40)
    }

    /// AMD's mask is 0 if nothing is encrypted.
    @Test(
        arguments: [
            (MachineTables.vmcoreInfoWithSME, [], false), (MachineTables.vmcoreInfoOfFedora, ["fpu"], true),
            ("", [], true),
            (MachineTables.vmcoreInfoOfFedora, ["fpu", "tdx_guest"], false),
            ("NUMBER(sme_mask)=140737488355328", [], false),
        ] as [(String, [String], Bool)])
    func refusesEncryptedMemory(info: String, flags: [String], isPlain: Bool) {
        let info = VMCoreInfo(Array(info.utf8))
        let isTaken = (try? KernelSurvey.requirePlainMemory(info, cpuFlags: flags)) != nil
        #expect(isTaken == isPlain)
    }
}
