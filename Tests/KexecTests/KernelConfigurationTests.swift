// SPDX-License-Identifier: Apache-2.0
import Basics
import Foundation
import Testing

@testable import Kexec

/// What the configuration of another kernel tells before it is loaded.
@Suite struct KernelConfigurationTests {
    private static let options = [
        "CONFIG_KEXEC", "CONFIG_KEXEC_JUMP", "CONFIG_CRASH_DUMP", "CONFIG_PROC_VMCORE", "CONFIG_DEVMEM",
    ]
    private static let all = options.map { "\($0)=y\n" }.joined()

    @Test func takesAKernelThatHasAll() throws {
        try KernelConfiguration("# Linux\n" + Self.all, path: "x").require(kernelPath: "/boot/k")
    }

    @Test(arguments: options) func refusesAKernelThatLacksOne(option: String) {
        for text in ["# \(option) is not set\n", "\(option)=m\n", "\(option)_SIG=y\n", ""] {
            let configuration = KernelConfiguration(Self.all.replacing("\(option)=y\n", with: text), path: "/c")
            let failure = #expect(throws: Failure.self) { try configuration.require(kernelPath: "/boot/k") }
            #expect(failure?.operand == "/boot/k" && failure?.reason == "it has no \(option) (/c)")
            #expect(failure?.remedy?.contains("--kernel") == true)
        }
    }

    @Test func findsTheConfigurationOfDistributions() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "torpor-\(UUID().uuidString)").path
        defer { try? FileManager.default.removeItem(atPath: root) }
        func find(_ release: String) -> String? {
            KernelConfiguration(release: release, kernelPath: "\(root)/efi/linux", root: root)?.path
        }
        #expect(find("6.12.1") == nil)
        // The one beside the kernel counts first.
        for path in ["lib/modules/6.12.1/config", "boot/config-6.12.1", "efi/config-6.12.1"] {
            let file = "\(root)/\(path)"
            try FileManager.default.createDirectory(
                atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
            try Self.all.write(toFile: file, atomically: false, encoding: .utf8)
            #expect(find("6.12.1") == file)
        }
        #expect(find("") == nil && find("6.13") == nil && find("../config-6.12.1") == nil)
    }
}
