// SPDX-License-Identifier: Apache-2.0
import Basics

/// What the caller of `Hibernate.run` does beside the jump, such as to select what the boot loader starts next.
public struct JumpHooks {
    /// Runs after each load of kernel B, before the file systems are synced and the EFI system partitions are unmounted. It
    /// gets the parameters that kernel C needs. If it throws, kernel A does not jump.
    public var whenLoaded: (_ parametersForC: [String]) throws(Failure) -> Void
    /// Runs once after `whenLoaded`, even if that threw: when kernel A runs again, or if it did not jump. The EFI system
    /// partitions are mounted again, and the page cache has nothing of GRUB's environment.
    public var whenBack: () -> Void

    public init(
        whenLoaded: @escaping (_ parametersForC: [String]) throws(Failure) -> Void = { _ in },
        whenBack: @escaping () -> Void = {}
    ) {
        self.whenLoaded = whenLoaded
        self.whenBack = whenBack
    }
}
