// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import TorporCommand

@Suite struct DischargeRatesTests {
    private let fixture: CommandFixture
    private var sleep: FakeSleep { fixture.sleep }
    private let hour: UInt64 = 3_600_000

    init() throws { fixture = try CommandFixture() }

    private func battery(_ capacity: Int?, _ name: String = "BAT0") -> PowerSupplies.Battery {
        .init(name: name, capacity: capacity, identity: "maker/\(name)/1")
    }

    @Test func nothingIsKnownAtFirst() {
        #expect(DischargeRates(sleep.system).suspendTime([battery(80)]) == nil)
    }

    @Test func ratesAreLearnedAndKept() throws {
        var rates = DischargeRates(sleep.system)
        try rates.learn(before: [battery(80)], after: [battery(75)], milliseconds: hour / 2)
        try rates.learn(before: [battery(50, "BAT1")], after: [battery(45, "BAT1")], milliseconds: hour)
        #expect(sleep.text(DischargeRates.file) == "10 maker/BAT0/1\n5 maker/BAT1/1\n")
        let kept = DischargeRates(sleep.system)
        // 75 % at 10 % an hour, less half an hour.
        #expect(kept.suspendTime([battery(75)]) == hour * 7)
        #expect(kept.suspendTime([battery(75), battery(45, "BAT1")]) == hour * 16)
        #expect(kept.suspendTime([battery(nil), battery(0)]) == nil)
    }

    @Test func aChargeThatIsTooLowForTheRateHasNoTime() throws {
        sleep.write(DischargeRates.file, "20 maker/BAT0/1\n")
        let rates = DischargeRates(sleep.system)
        #expect(rates.suspendTime([battery(10)]) == nil)
        #expect(rates.suspendTime([battery(11)]) == hour * 11 / 20 - hour / 2)
    }

    @Test func measurementsWithoutMeaningAreNotKept() throws {
        var rates = DischargeRates(sleep.system)
        try rates.learn(before: [battery(50)], after: [battery(50)], milliseconds: hour)
        try rates.learn(before: [battery(50)], after: [battery(60)], milliseconds: hour)
        try rates.learn(before: [battery(50)], after: [battery(49)], milliseconds: 0)
        try rates.learn(before: [battery(50)], after: [battery(49)], milliseconds: 1000)
        try rates.learn(before: [battery(50)], after: [battery(49)], milliseconds: hour * 2)
        try rates.learn(before: [battery(nil)], after: [battery(49)], milliseconds: hour)
        try rates.learn(before: [battery(50, "BAT1")], after: [battery(40)], milliseconds: hour)
        #expect(rates.rates == [:])
        #expect(sleep.text(DischargeRates.file) == "")
    }

    @Test func damagedLinesAreLeftOut() {
        sleep.write(DischargeRates.file, "10 a\n0 b\n200 c\nx d\n10\n10 e f\n199 g\n")
        #expect(DischargeRates(sleep.system).rates == ["a": 10, "g": 199])
    }
}
