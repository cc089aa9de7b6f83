// SPDX-License-Identifier: Apache-2.0
import Basics

/// Makes `systemctl hibernate` hibernate with Torpor: copies Torpor's units and drop-ins to /etc/systemd.
struct UnitsStep: SetupStep {
    private static let source = "\(SetupContext.library)/systemd"
    private static let target = "/etc/systemd"
    private static let service = "torpor-check.service"

    func intention(_ context: SetupContext) throws(Failure) -> SetupIntention {
        guard context.boot.exists("/run/systemd/system") else {
            return .nothing("systemd does not run here; hibernate with: torpor hibernate")
        }
        guard !files(context).isEmpty else {
            throw Failure(
                "set up", "systemd", "Torpor's units are missing in \(UnitsStep.source)",
                remedy: "install Torpor's package, or run: make install")
        }
        return .change("make systemctl hibernate use Torpor, and check at each boot (\(UnitsStep.service))")
    }

    func perform(_ context: SetupContext, _ record: inout SetupRecord) throws(Failure) {
        for file in files(context) {
            if try context.write(UnitsStep.target + file, context.text(UnitsStep.source + file), &record) {
                context.say("wrote \(UnitsStep.target + file)")
            }
        }
        try context.run("systemctl", ["daemon-reload"])
        if !record.units.contains(UnitsStep.service) {
            try context.run("systemctl", ["enable", UnitsStep.service])
            record.units.append(UnitsStep.service)
        }
        try restartLogind(context)
    }

    func undo(_ context: SetupContext, _ record: inout SetupRecord) throws(Failure) {
        let own = record.files.map { $0.path }.filter { $0.hasPrefix(UnitsStep.target + "/") }
        guard !own.isEmpty || !record.units.isEmpty else { return }
        let isRunning = context.boot.exists("/run/systemd/system")
        for unit in record.units { try context.run("systemctl", ["disable", unit]) }
        record.units = []
        for path in own { try context.takeBack(path, &record) }
        guard isRunning else { return }
        try context.run("systemctl", ["daemon-reload"])
        try restartLogind(context)
    }

    /// logind reads its environment only when it starts; the drop-in lets it offer hibernation without swap space. It keeps all
    /// sessions over a restart.
    private func restartLogind(_ context: SetupContext) throws(Failure) {
        try context.run("systemctl", ["try-restart", "systemd-logind.service"])
    }

    /// The paths of Torpor's units below `source`, each with a slash in front.
    private func files(_ context: SetupContext) -> [String] { files(context, "") }

    private func files(_ context: SetupContext, _ folder: String) -> [String] {
        context.boot.names(in: UnitsStep.source + folder).flatMap { name in
            let path = "\(folder)/\(name)"
            let inside = files(context, path)
            return inside.isEmpty && name.contains(".") && !name.hasSuffix(".d") ? [path] : inside
        }
    }
}
