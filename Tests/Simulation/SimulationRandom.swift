// SPDX-License-Identifier: Apache-2.0
import Basics
import Fixtures

/// The numbers that follow from a seed. Everything that a run of the simulation decides comes from here.
struct SimulationRandom {
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func next() -> UInt64 { generator.next() }

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
