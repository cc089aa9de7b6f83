// SPDX-License-Identifier: Apache-2.0
import Hibernation

@main
struct Init {
    static func main() { runHibernation() }
}
