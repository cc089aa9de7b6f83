import Basics

/// The oldest kernels that come back from a jump: 6.12.107 of the 6.12 series, and 6.14. Those before lack "Restore GDT on
/// return from ::preserve_context kexec" (07fa619f2a40): the jump back resets the machine, and the session is lost.
struct KernelFloor {
    /// Refuses a release that is older, and one that does not tell how old it is.
    /// - Parameter release: as uname(2) tells it, with whatever a distribution appends.
    static func require(_ release: String) throws(Failure) {
        let remedy =
            "use 6.12.107 or newer of the 6.12 series, or 6.14 or newer; if its makers have added that fix, use "
            + "--allow-old-kernel"
        guard let version = version(release) else {
            throw Failure(
                "hibernate", "",
                "the running kernel's release, \(release), does not tell whether it can come back from a jump",
                remedy: remedy)
        }
        let (major, minor, patch) = version
        let isNew = (major, minor) >= (6, 14) || (major, minor) == (6, 12) && patch >= 107
        guard isNew else {
            throw Failure(
                "hibernate", "",
                "the running kernel, \(release), lacks a fix without which the jump back resets the machine (\"Restore GDT on "
                    + "return from preserve_context kexec\")", remedy: remedy)
        }
    }

    /// The first three numbers of a release; nil for one that does not begin with two.
    private static func version(_ release: String) -> (UInt64, UInt64, UInt64)? {
        var numbers: [UInt64] = []
        for part in release.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false) {
            let digits = part.utf8.prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            guard let number = parseNumber(String(decoding: digits, as: UTF8.self)) else { break }
            numbers.append(number)
            // What follows the digits is the distribution's, but for a dot.
            if digits.count < part.utf8.count { break }
        }
        guard numbers.count >= 2 else { return nil }
        return (numbers[0], numbers[1], numbers.count > 2 ? numbers[2] : 0)
    }
}
