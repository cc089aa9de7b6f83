// SPDX-License-Identifier: Apache-2.0
import Basics
import Testing

@Suite struct KernelVersionTests {
    @Test func readsVersions() {
        let table: [(String, KernelVersion?)] = [
            ("6.12.117", KernelVersion(6, 12, 117)), ("6.17.0-29-generic", KernelVersion(6, 17, 0)),
            ("7.3-rc1", KernelVersion(7, 3)), ("6.16.3-76061603-generic", KernelVersion(6, 16, 3)),
            ("6.12.5.fc43", KernelVersion(6, 12, 5)),
            ("6", nil), ("", nil), ("x.y", nil), ("6.x", nil), ("99999999999999999999.1", nil),
        ]
        for (release, version) in table { #expect(KernelVersion(release: release) == version, "\(release)") }
        #expect(KernelVersion(6, 9) < KernelVersion(6, 10) && KernelVersion(6, 16, 1) < KernelVersion(6, 17))
    }
}
