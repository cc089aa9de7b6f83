// SPDX-License-Identifier: Apache-2.0
import Linux
import Testing

@Suite struct MountsTests {
    /// Nothing that a hostile device node or program could be run from is mounted with those rights; <linux/mount.h>.
    @Test func kernelFileSystemsAreRestricted() {
        let noSuid: UInt = 2, noDev: UInt = 4, noExec: UInt = 8
        let expected = [
            "/proc": noSuid | noDev | noExec, "/sys": noSuid | noDev | noExec,
            // The device nodes of /dev must work.
            "/dev": noSuid,
        ]
        #expect(Mount.kernelFileSystems.map(\.target) == ["/proc", "/sys", "/dev"])
        for mount in Mount.kernelFileSystems { #expect(mount.flags == expected[mount.target], "\(mount.target)") }
        #expect(Mount.readOnly == 1)
    }
}
