// SPDX-License-Identifier: Apache-2.0
import Linux

/// What to do when kernel B has saved the memory.
public enum AfterSave: String, Sendable {
    case powerOff = "poweroff"
    case reboot
    /// Jump back at once; the image is a snapshot then.
    case `return`
}

/// What kernel C does without an image to resume.
public enum Fallback: String, Sendable {
    /// Mount `root=` and run its init.
    case root
    case powerOff = "poweroff"
    case reboot
    case shell
}
