// SPDX-License-Identifier: Apache-2.0
import Linux

/// The batteries and other power supplies of a machine, from /sys/class/power_supply
/// (Documentation/ABI/testing/sysfs-class-power).
struct PowerSupplies {
    static let folder = "/sys/class/power_supply"
    /// A battery with at most this percentage is low, as for systemd (src/shared/battery-util.c).
    static let lowCapacity = 5

    struct Battery: Equatable {
        let name: String
        /// Percent; nil if it cannot be read.
        let capacity: Int?
        /// Tells this battery from others, also in another machine: one word.
        let identity: String
    }

    let system: SleepSystem

    /// The batteries that power the machine and are present.
    var batteries: [Battery] {
        system.names(in: PowerSupplies.folder).compactMap { name in
            guard value(name, "type") == "Battery", value(name, "scope") != "Device", value(name, "present") == "1"
            else { return nil }
            let capacity = value(name, "capacity").flatMap { Int($0) }.flatMap { (0...100).contains($0) ? $0 : nil }
            let parts = ["manufacturer", "model_name", "serial_number"].map { value(name, $0) ?? "" }
            let identity = parts.joined(separator: "/").filter { !$0.isWhitespace }
            return Battery(name: name, capacity: capacity, identity: identity)
        }
    }

    /// Whether the machine runs from its batteries and none of them has more than a low charge. A battery whose charge cannot
    /// be read counts as charged.
    var areLow: Bool {
        let batteries = batteries
        return !isOnACPower && !batteries.isEmpty
            && batteries.allSatisfy { ($0.capacity ?? 100) <= PowerSupplies.lowCapacity }
    }

    /// Whether a supply other than a battery is online, or no battery discharges.
    var isOnACPower: Bool {
        var isDischarging = false
        for name in system.names(in: PowerSupplies.folder) {
            switch value(name, "type") {
            case nil: continue
            case "Battery": isDischarging = isDischarging || self.isDischarging(name)
            case "USB" where !isPowerSink(name): continue
            case _: if let online = value(name, "online").flatMap({ Int($0) }), online > 0 { return true }
            }
        }
        return !isDischarging
    }

    private func isDischarging(_ name: String) -> Bool {
        value(name, "scope") != "Device" && value(name, "present") ?? "1" != "0"
            && value(name, "status") ?? "Discharging" == "Discharging"
    }

    /// Whether a USB supply brings power into the machine: a port of its controller is a sink, or none is a source.
    private func isPowerSink(_ name: String) -> Bool {
        guard let supply = realPath(system.real("\(PowerSupplies.folder)/\(name)")) else { return true }
        // Two levels up: …/DEVICE/power_supply/NAME
        let device = supply.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" }
        let ports = system.names(in: "/sys/class/typec").filter {
            realPath(system.real("/sys/class/typec/\($0)"))?.hasPrefix(device + "/") == true
        }
        let roles = ports.compactMap { system.text("/sys/class/typec/\($0)/power_role") }
        return roles.contains { $0.contains("[sink]") } || !roles.contains { $0.contains("[source]") }
    }

    private func value(_ name: String, _ attribute: String) -> String? {
        system.text("\(PowerSupplies.folder)/\(name)/\(attribute)")
    }
}
