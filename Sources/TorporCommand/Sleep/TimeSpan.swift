// SPDX-License-Identifier: Apache-2.0

/// A time span in the notation of systemd.time(7), such as `2h` or `1h 30min`.
struct TimeSpan: Equatable {
    /// nil is `infinity`.
    let milliseconds: UInt64?

    init(milliseconds: UInt64?) { self.milliseconds = milliseconds }

    /// - Returns: nil if the text is no time span. A number without a unit is in seconds.
    init?(_ text: String) {
        let text = text.drop { $0.isWhitespace }
        guard !text.isEmpty else { return nil }
        if text.filter({ !$0.isWhitespace }) == "infinity" {
            milliseconds = nil
            return
        }
        var sum = 0.0
        var rest = text
        while !rest.isEmpty {
            let number = rest.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
            guard let value = Double(number), number.first != "." else { return nil }
            rest = rest.dropFirst(number.count).drop { $0.isWhitespace }
            let unit = rest.prefix { $0.isLetter }
            guard let factor = unit.isEmpty ? 1000 : TimeSpan.milliseconds[String(unit)] else { return nil }
            rest = rest.dropFirst(unit.count).drop { $0.isWhitespace }
            sum += value * factor
        }
        guard sum < 1e17 else { return nil }
        milliseconds = UInt64(sum)
    }

    /// The milliseconds of a unit. A month has 30.44 days, a year 365.25 days.
    private static let milliseconds: [String: Double] = {
        let second = 1000.0, minute = 60 * second, hour = 60 * minute, day = 24 * hour
        let units: [([String], Double)] = [
            (["usec", "us", "µs", "μs"], 0.001), (["msec", "ms"], 1), (["seconds", "second", "sec", "s"], second),
            (["minutes", "minute", "min", "m"], minute), (["hours", "hour", "hr", "h"], hour),
            (["days", "day", "d"], day), (["weeks", "week", "w"], 7 * day), (["months", "month", "M"], 30.44 * day),
            (["years", "year", "y"], 365.25 * day),
        ]
        return Dictionary(uniqueKeysWithValues: units.flatMap { names, factor in names.map { ($0, factor) } })
    }()
}
