// SPDX-License-Identifier: Apache-2.0
import Testing

/// Suites run at the same time, as many as there are CPUs, because a machine seldom keeps two CPUs busy. The tests of one
/// suite run one after the other.
@Suite struct MachineTests {}
