// SPDX-License-Identifier: Apache-2.0
import Linux

/// How kernel C treats an image that it cannot resume now although the image itself is sound: `torpor.refused=`.
public enum RefusalChoice: String, Sendable {
    /// Ask on every console.
    case ask
    /// Power off at once.
    case powerOff = "poweroff"
    /// Restart and try again, a few times; then ask.
    case reboot
    /// Drop the session and boot the root file system at once.
    case root
}

/// How kernel C ends if nobody answers: `torpor.unattended=`.
public enum UnattendedChoice: String, Sendable {
    case powerOff = "poweroff"
    /// Drop the session and boot the root file system.
    case root
}

/// Decides how kernel C ends if a session cannot be resumed now. docs/reliability.md has the reasons.
///
/// Every action except `bootRoot` keeps the session. Only a person, or a parameter that a person set, chooses `bootRoot`.
struct RefusalPolicy: Equatable {
    /// nil if the command line has no `torpor.refused=`.
    var choice: RefusalChoice?
    /// nil if the command line has no `torpor.unattended=`.
    var unattended: UnattendedChoice?
    /// Seconds to wait for an answer.
    var askSeconds = RefusalPolicy.standardAskSeconds
    /// Whether the command line names a root file system.
    var canBootRoot = false
    /// Whether the ordinary start goes on if nobody answers: the machine has all of its memory then, and comes up.
    var canGoOn = false

    static let standardAskSeconds = 120
    /// Seconds before an automatic restart, in which a person can read the reason and choose another action.
    static let restartSeconds = 10
    /// Automatic restarts in a row. One is enough for the reasons that a restart can remove: a device that appeared too late,
    /// firmware that placed memory differently, a boot entry that was chosen by mistake.
    static let standardRestarts: UInt32 = 1
    /// Automatic restarts in a row with `torpor.refused=reboot`. An endless loop would hide the reason and wear out the
    /// machine.
    static let maximumRestarts: UInt32 = 5

    enum Action: Equatable {
        case restart, powerOff
        /// Drop the session and boot the root file system.
        case bootRoot
        /// Keep the image and go on with the ordinary start. If that changes what the session uses, the image is out of date.
        case goOn
        /// Try again at once, because a person stopped the attempt and nothing is wrong.
        case resume
    }

    /// Ask for `askSeconds`, and do `otherwise` if nobody answers; 0 seconds means not to ask.
    struct Decision: Equatable {
        var askSeconds: Int
        var otherwise: Action
    }

    /// - Parameter refusals: refusals of this image in a row, including this one; nil if the partition does not count them.
    ///   Then there is no automatic restart, because nothing would bound their number.
    func decision(refusals: UInt32?) -> Decision {
        switch choice {
        case nil: restart(refusals, atMost: RefusalPolicy.standardRestarts)
        case .reboot: restart(refusals, atMost: RefusalPolicy.maximumRestarts)
        case .ask: ask
        case .powerOff: Decision(askSeconds: 0, otherwise: .powerOff)
        case .root: canBootRoot ? Decision(askSeconds: 0, otherwise: .bootRoot) : ask
        }
    }

    /// The decision after a person stopped the resume. Without an answer the resume goes on: the key may have been a mistake,
    /// or noise on a serial line. Somebody was there, so this asks even if refusals do not.
    var afterStop: Decision {
        Decision(askSeconds: askSeconds > 0 ? askSeconds : RefusalPolicy.standardAskSeconds, otherwise: .resume)
    }

    /// The decision to ask a person. It also follows a shell that has exited.
    var ask: Decision {
        let otherwise: Action =
            switch unattended {
            case .root? where canBootRoot: .bootRoot
            case nil where canGoOn: .goOn
            default: .powerOff
            }
        return Decision(askSeconds: askSeconds, otherwise: otherwise)
    }

    private func restart(_ refusals: UInt32?, atMost limit: UInt32) -> Decision {
        guard let refusals, refusals <= limit else { return ask }
        return Decision(askSeconds: min(askSeconds, RefusalPolicy.restartSeconds), otherwise: .restart)
    }
}
