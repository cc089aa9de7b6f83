// SPDX-License-Identifier: Apache-2.0
import TorporCommand

/// The administrator's program, `torpor`.
@main
struct Main {
    static func main() { Torpor.main() }
}
