// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import Hibernation

@Suite struct BuiltInModulesTests {
    @Test func readsNamesAndPaths() {
        let list = BuiltInModules("nvme\nkernel/drivers/ata/ahci.ko\nkernel/drivers/usb/storage/usb-storage.ko\n\n")
        for name in ["nvme", "ahci", "usb_storage"] { #expect(list.contains(name), "\(name)") }
        for name in ["usb-storage", "ko", "kernel", ""] { #expect(!list.contains(name), "\(name)") }
    }

    /// The list beside the kernel's file comes first.
    @Test func findsTheListOfAKernel() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        let modules = root.appending(path: "lib/modules/6.12-x")
        try FileManager.default.createDirectory(at: modules, withIntermediateDirectories: true)
        func list(_ release: String = "6.12-x", _ folder: String? = nil) -> BuiltInModules? {
            BuiltInModules(release: release, kernelPath: "\(folder ?? root.path)/vmlinuz", root: root.path)
        }
        #expect(list() == nil)
        try "kernel/a.ko\n".write(to: modules.appending(path: "modules.builtin"), atomically: false, encoding: .utf8)
        #expect(list() == BuiltInModules("a"))
        try "b\n".write(to: root.appending(path: "builtin-6.12-x"), atomically: false, encoding: .utf8)
        #expect(list() == BuiltInModules("b"))
        #expect(list("6.12-x", "/nowhere") == BuiltInModules("a"))
        for release in ["", "../6.12-x", "6.13"] { #expect(list(release) == nil) }
    }
}
