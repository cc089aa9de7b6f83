// SPDX-License-Identifier: Apache-2.0
import FoundationEssentials

/// How fast batteries discharge while the machine is suspended, as measured before.
struct DischargeRates {
    static let file = "/var/lib/torpor/battery-discharge"
    private static let hour = 3_600_000.0
    /// Hibernation begins this long before the batteries are estimated to be empty.
    private static let reserve = hour / 2
    /// Percent per hour. Other rates are mistakes of the measurement.
    private static let validRates = 1..<200

    private let system: SleepSystem
    /// Percent per hour for each battery's identity.
    private(set) var rates: [String: Int] = [:]

    /// Reads the rates that were kept. Lines that mean nothing are left out.
    init(_ system: SleepSystem) {
        self.system = system
        for line in (system.text(DischargeRates.file) ?? "").split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count == 2, let rate = Int(words[0]), DischargeRates.validRates.contains(rate) {
                rates[String(words[1])] = rate
            }
        }
    }

    /// How long these batteries last in suspend, in milliseconds, less a reserve of half an hour; nil if that is not known.
    func suspendTime(_ batteries: [PowerSupplies.Battery]) -> UInt64? {
        var sum = 0.0
        for battery in batteries {
            guard let capacity = battery.capacity, let rate = rates[battery.identity], capacity * 2 > rate else {
                continue
            }
            sum += Double(capacity) * DischargeRates.hour / Double(rate)
        }
        return sum > DischargeRates.reserve ? UInt64(sum - DischargeRates.reserve) : nil
    }

    /// Learns from the batteries before and after a time in suspend, in milliseconds, and keeps what it learned.
    /// - Throws: if the file cannot be written.
    mutating func learn(
        before: [PowerSupplies.Battery], after: [PowerSupplies.Battery], milliseconds: UInt64
    ) throws {
        guard milliseconds > 0 else { return }
        var isChanged = false
        for battery in after {
            guard
                let old = before.first(where: { $0.name == battery.name && $0.identity == battery.identity })?.capacity,
                let new = battery.capacity, new < old
            else { continue }
            let rate = Double(old - new) * DischargeRates.hour / Double(milliseconds)
            guard rate < Double(DischargeRates.validRates.upperBound), rate >= 1 else { continue }
            rates[battery.identity] = Int(rate)
            isChanged = true
        }
        guard isChanged else { return }
        let url = URL(filePath: system.real(DischargeRates.file))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        let lines = rates.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)\n" }
        try Data(lines.joined().utf8).write(to: url, options: .atomic)
    }
}
