// SPDX-License-Identifier: Apache-2.0
import CLinux

/// Milliseconds since boot, without the time asleep (`CLOCK_MONOTONIC`).
public func monotonicMilliseconds() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return UInt64(now.tv_sec) * 1000 + UInt64(now.tv_nsec) / 1_000_000
}

/// Nanoseconds since boot, without the time asleep (`CLOCK_MONOTONIC`).
public func monotonicNanoseconds() -> UInt64 { nanoseconds(CLOCK_MONOTONIC) }

/// Nanoseconds for which a processor has run the calling thread (`CLOCK_THREAD_CPUTIME_ID`).
public func threadNanoseconds() -> UInt64 { nanoseconds(CLOCK_THREAD_CPUTIME_ID) }

private func nanoseconds(_ clock: clockid_t) -> UInt64 {
    var now = timespec()
    clock_gettime(clock, &now)
    return UInt64(now.tv_sec) * 1_000_000_000 + UInt64(now.tv_nsec)
}

/// Seconds since 1970, UTC (`CLOCK_REALTIME`).
public func secondsSince1970() -> UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return UInt64(max(0, now.tv_sec))
}

/// Sleeps, and continues after a signal. The corresponding C function is `nanosleep`.
public func sleep(milliseconds: Int) {
    var rest = timespec(tv_sec: milliseconds / 1000, tv_nsec: milliseconds % 1000 * 1_000_000)
    var left = timespec()
    while nanosleep(&rest, &left) != 0, torpor_errno() == EINTR { rest = left }
}
