// SPDX-License-Identifier: Apache-2.0
import Basics

/// The numbers that follow from a seed: SplitMix64. Everything that a run of the simulation decides comes from here.
struct SimulationRandom {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = state
        value = (value ^ value >> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value >> 27) &* 0x94d0_49bb_1331_11eb
        return value ^ value >> 31
    }

    /// A number from 0 up to a limit.
    mutating func below(_ limit: Int) -> Int { limit > 1 ? Int(next() >> 2) % limit : 0 }

    /// Whether something happens that does so this often in a hundred times.
    mutating func chance(_ percent: Int) -> Bool { below(100) < percent }

    mutating func pick<Item>(_ items: [Item]) -> Item { items[below(items.count)] }

    mutating func uuid() -> UUID {
        var bytes: [UInt8] = []
        for _ in 0..<2 { bytes.append(littleEndian: next()) }
        return UUID(random: bytes) ?? .zero
    }
}

extension UUID: Hashable {
    public func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
}
