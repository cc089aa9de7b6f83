// SPDX-License-Identifier: Apache-2.0
import CVersion

/// The version of Torpor, from the file VERSION. The command and /init print it, and every image records it.
public var torporVersion: String { trimmed(String(cString: torpor_version())) }
