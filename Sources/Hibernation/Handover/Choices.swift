// SPDX-License-Identifier: Apache-2.0
import Linux

/// How kernel B ends after it has saved the memory: `torpor.after=`.
public enum AfterSave: String, Sendable {
    case powerOff = "poweroff"
    case reboot
    /// Jump back at once; the image is then a snapshot, which kernel C does not resume.
    case `return`
}

/// How kernel C ends if there is no image to resume: `torpor.fallback=`.
public enum Fallback: String, Sendable {
    /// Mount `root=` and run its init.
    case root
    case powerOff = "poweroff"
    case reboot
    case shell
}
