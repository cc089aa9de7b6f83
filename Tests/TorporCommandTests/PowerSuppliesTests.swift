// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import TorporCommand

@Suite struct PowerSuppliesTests {
    private let fixture: CommandFixture
    private var sleep: FakeSleep { fixture.sleep }
    private var supplies: PowerSupplies { PowerSupplies(system: sleep.system) }

    init() throws { fixture = try CommandFixture() }

    @Test func withoutSuppliesTheMachineIsOnACPower() {
        #expect(supplies.batteries == [])
        #expect(supplies.isOnACPower)
        #expect(!supplies.areLow)
    }

    @Test func batteriesAreRead() {
        sleep.battery(42)
        sleep.supply("AC", ["type": "Mains", "online": "0"])
        sleep.supply("mouse", ["type": "Battery", "present": "1", "scope": "Device", "capacity": "3"])
        sleep.supply("BAT1", ["type": "Battery", "present": "0", "capacity": "3"])
        sleep.supply("BAT2", ["type": "Battery", "present": "1", "capacity": "101"])
        #expect(
            supplies.batteries == [
                .init(name: "BAT0", capacity: 42, identity: "SomeMaker/M1/7"),
                .init(name: "BAT2", capacity: nil, identity: "//"),
            ])
        #expect(!supplies.isOnACPower)
        #expect(!supplies.areLow)
    }

    @Test(arguments: [
        (5, "Discharging", "0", true), (6, "Discharging", "0", false), (5, "Discharging", "1", false),
        (5, "Charging", "0", false), (0, "Full", "0", false),
    ])
    func lowBatteries(capacity: Int, status: String, online: String, isLow: Bool) {
        sleep.battery(capacity, status: status)
        sleep.supply("AC", ["type": "Mains", "online": online])
        #expect(supplies.areLow == isLow)
    }

    @Test func oneChargedOrUnreadableBatteryIsEnough() {
        sleep.battery(2)
        sleep.battery(50, name: "BAT1")
        #expect(!supplies.areLow)
        sleep.battery(3, name: "BAT1")
        #expect(supplies.areLow)
        sleep.supply("BAT1", ["capacity": "?"])
        #expect(!supplies.areLow)
    }

    @Test(arguments: [("[sink]", true), ("[source]", false), ("source [sink]", true)])
    func usbSuppliesCountIfTheyBringPower(role: String, isOnACPower: Bool) throws {
        sleep.battery(50)
        let device = "/sys/devices/usbc"
        sleep.write("\(device)/power_supply/usb0/type", "USB\n")
        sleep.write("\(device)/power_supply/usb0/online", "1\n")
        sleep.write("\(device)/typec/port0/power_role", "\(role)\n")
        try FileManager.default.createSymbolicLink(
            at: sleep.url("\(PowerSupplies.folder)/usb0"), withDestinationURL: sleep.url("\(device)/power_supply/usb0"))
        try FileManager.default.createDirectory(at: sleep.url("/sys/class/typec"), withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            at: sleep.url("/sys/class/typec/port0"), withDestinationURL: sleep.url("\(device)/typec/port0"))
        #expect(supplies.isOnACPower == isOnACPower)
    }
}
