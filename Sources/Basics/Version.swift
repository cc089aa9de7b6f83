// SPDX-License-Identifier: Apache-2.0
import CVersion

/// The version of Torpor, from the file VERSION. The command, /init and each image that they write have it.
public var torporVersion: String { trimmed(String(cString: torpor_version())) }
