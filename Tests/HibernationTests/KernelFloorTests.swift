// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@testable import Hibernation

/// Which kernels come back from a jump, by their releases.
@Suite struct KernelFloorTests {
    @Test(arguments: [
        "6.12.107", "6.12.107+deb13-amd64", "6.12.117-amd64", "6.14.0-37-generic", "6.14-rc2", "6.15", "6.18.2-arch1-1",
        "7.1.4-200.fc44.x86_64", "7.3.4", "10.0.0", "6.12.1000", "6.100.1-cachyos", "7.0-rc1+",
    ])
    func acceptsNewKernels(release: String) { #expect(throws: Never.self) { try KernelFloor.require(release) } }

    @Test(arguments: [
        "6.12.106+deb13-amd64", "6.12.0-124.8.1.el10_1.x86_64", "6.12", "6.12-rc7", "6.13.12", "6.11.9-arch1-1",
        "6.6.1",
        "6.1.0-44-amd64", "5.4.302", "5.15.167.4-microsoft-standard-WSL2", "4.18.0-552.el8.x86_64", "2.6.39",
        "6.12.9-107-generic",
    ])
    func refusesOldKernels(release: String) {
        let failure = #expect(throws: Failure.self) { try KernelFloor.require(release) }
        #expect(failure?.reason.contains("the jump back resets the machine") == true)
        #expect(failure?.reason.contains(release) == true && failure?.remedy?.contains("--allow-old-kernel") == true)
    }

    @Test(arguments: ["", "linux", "6", "6.x.1", "v6.14", "-6.14", "6..14", "99999999999999999999.1"])
    func refusesUnreadableReleases(release: String) {
        let failure = #expect(throws: Failure.self) { try KernelFloor.require(release) }
        #expect(failure?.reason.contains("has no version") == true)
        #expect(failure?.remedy?.contains("--allow-old-kernel") == true)
    }
}
