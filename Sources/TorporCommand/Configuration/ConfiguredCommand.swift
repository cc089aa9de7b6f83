// SPDX-License-Identifier: Apache-2.0
import ArgumentParser
import Basics

/// A command whose options may stand in /etc/torpor.conf as well. The command line overrides the file.
protocol ConfiguredCommand: TorporSubcommand {
    /// The keys that this command takes, of `ConfigurationKey.all`.
    static var configurationKeys: [String] { get }
    /// The keys that have no meaning beside the options on the command line.
    var ignoredKeys: Set<String> { get }
}

extension ConfiguredCommand {
    var ignoredKeys: Set<String> { [] }

    /// The command with the settings of the file in front of its own arguments: of an option that is given twice, the last
    /// value counts.
    /// - Parameter arguments: those behind the command's name.
    /// - Throws: `Failure` if the file is wrong.
    func configured(_ configuration: Configuration, _ arguments: [String]) throws -> Self {
        let keys = Set(Self.configurationKeys).subtracting(ignoredKeys)
        let settings = try ConfigurationKey.arguments(configuration, keys)
        return try Self.parse(settings + arguments)
    }
}

/// A key of /etc/torpor.conf: a long option of `torpor hibernate`.
struct ConfigurationKey {
    let name: String
    /// Whether it is a flag: its value is yes or no.
    let isFlag: Bool

    static let all = [
        ConfigurationKey(name: "device", isFlag: false), ConfigurationKey(name: "kernel", isFlag: false),
        ConfigurationKey(name: "initrd", isFlag: false), ConfigurationKey(name: "codec", isFlag: false),
        ConfigurationKey(name: "backup-end", isFlag: false), ConfigurationKey(name: "append", isFlag: false),
        ConfigurationKey(name: "after", isFlag: false), ConfigurationKey(name: "direct-start", isFlag: true),
        ConfigurationKey(name: "allow-unwatched", isFlag: true),
        ConfigurationKey(name: "allow-old-kernel", isFlag: true),
    ]

    /// The settings of a file as arguments.
    /// - Parameter keys: those to take. The others are checked as well: a wrong line is refused by every command.
    /// - Throws: at the first key that is unknown, and at the first value that its option does not take.
    static func arguments(_ configuration: Configuration, _ keys: Set<String>) throws(Failure) -> [String] {
        var arguments: [String] = []
        for setting in configuration.settings {
            guard let key = all.first(where: { $0.name == setting.key }) else {
                throw configuration.failure(
                    setting.line, "there is no setting \(printable(setting.key))",
                    "use one of: \(all.map { $0.name }.joined(separator: ", "))")
            }
            let argument = try key.argument(setting, configuration)
            if let argument, keys.contains(key.name) { arguments.append(argument) }
        }
        return arguments
    }

    /// - Returns: nil for a value that is the same as none.
    private func argument(_ setting: Configuration.Setting, _ configuration: Configuration) throws(Failure) -> String? {
        if isFlag {
            switch setting.value {
            case "yes": return "--\(name)"
            case "no": return "--no-\(name)"
            default: throw wrong(setting, configuration, "use yes or no")
            }
        }
        if setting.value.isEmpty {
            if name == "append" { return nil }
            throw configuration.failure(setting.line, "\(name) has no value", "add one, or remove the line")
        }
        let argument = "--\(name)=\(setting.value)"
        do { _ = try HibernateCommand.parse([argument]) } catch {
            throw wrong(setting, configuration, "see torpor hibernate --help for --\(name)")
        }
        return argument
    }

    private func wrong(_ setting: Configuration.Setting, _ configuration: Configuration, _ remedy: String) -> Failure {
        configuration.failure(setting.line, "\(name) cannot be \(printable(setting.value))", remedy)
    }
}
