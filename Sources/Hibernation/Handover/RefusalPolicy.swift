// SPDX-License-Identifier: Apache-2.0
import Linux

/// What kernel C does with an image that it cannot resume now although nothing is wrong with it: `torpor.refused=`.
public enum RefusalChoice: String, Sendable {
    /// Ask on every console.
    case ask
    /// Power off at once.
    case powerOff = "poweroff"
    /// Restart and try again, a few times; then ask.
    case reboot
    /// Give the session up and boot the root file system at once.
    case root
}

/// What kernel C does if nobody answers: `torpor.unattended=`.
public enum UnattendedChoice: String, Sendable {
    case powerOff = "poweroff"
    /// Give the session up and boot the root file system.
    case root
}

/// Decides what becomes of a machine whose session cannot be resumed now. docs/reliability.md has the reasons.
///
/// Every way keeps the session but one, `bootRoot`: nobody takes that but a person, or a parameter that a person set.
struct RefusalPolicy: Equatable {
    /// nil if the command line does not choose.
    var choice: RefusalChoice?
    var unattended = UnattendedChoice.powerOff
    /// Seconds to wait for an answer.
    var askSeconds = RefusalPolicy.standardAskSeconds
    /// Whether the command line names a root file system.
    var canBootRoot = false

    static let standardAskSeconds = 120
    /// Before a restart that nobody asked for, somebody who is there may read the reason and choose something else.
    static let restartSeconds = 10
    /// Restarts in a row that nobody asked for. One is enough for what a restart mends: a device that came too late, firmware
    /// that laid out memory in another way, a boot entry that was chosen by mistake.
    static let standardRestarts: UInt32 = 1
    /// As many with `torpor.refused=reboot`. An endless loop would hide the reason and wear out the machine.
    static let maximumRestarts: UInt32 = 5

    enum Action: Equatable { case restart, powerOff, bootRoot }

    /// To ask for some seconds, and what to do without an answer; 0 seconds: without asking.
    struct Decision: Equatable {
        var askSeconds: Int
        var otherwise: Action
    }

    /// - Parameter refusals: refusals of this image in a row, this one among them; nil if the partition could not keep count.
    ///   Nothing restarts by itself then: nothing would end that.
    func decision(refusals: UInt32?) -> Decision {
        switch choice {
        case nil: restart(refusals, atMost: RefusalPolicy.standardRestarts)
        case .reboot: restart(refusals, atMost: RefusalPolicy.maximumRestarts)
        case .ask: ask
        case .powerOff: Decision(askSeconds: 0, otherwise: .powerOff)
        case .root: canBootRoot ? Decision(askSeconds: 0, otherwise: .bootRoot) : ask
        }
    }

    /// To ask, and what to do if nobody is there. It also follows a shell that has ended.
    var ask: Decision {
        Decision(askSeconds: askSeconds, otherwise: unattended == .root && canBootRoot ? .bootRoot : .powerOff)
    }

    private func restart(_ refusals: UInt32?, atMost limit: UInt32) -> Decision {
        guard let refusals, refusals <= limit else { return ask }
        return Decision(askSeconds: min(askSeconds, RefusalPolicy.restartSeconds), otherwise: .restart)
    }
}
