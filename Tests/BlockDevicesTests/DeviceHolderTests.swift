// SPDX-License-Identifier: Apache-2.0
import BlockDevices
import Testing

@Suite struct DeviceHolderTests {
    @Test func blamesNobodyInParticularForADeviceThatIsMissing() {
        #expect(holder(of: "/nowhere/disk") == "another program or device holds it")
    }
}
