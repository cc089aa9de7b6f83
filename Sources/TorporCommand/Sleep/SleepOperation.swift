// SPDX-License-Identifier: Apache-2.0
import ArgumentParser

/// What `torpor sleep` is asked for, by the names of systemd-sleep(8).
enum SleepOperation: String, CaseIterable, ExpressibleByArgument {
    case hibernate
    case suspendThenHibernate = "suspend-then-hibernate"
    case hybridSleep = "hybrid-sleep"
    /// No operation of systemd: ends what an operation that was killed has left behind.
    case thaw
    /// No operation of systemd: makes logind offer hibernation on a machine where its own rule is in the way.
    case announce
}
