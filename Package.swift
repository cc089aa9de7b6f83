// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

// TORPOR_EMBEDDED_LIBRARIES, set by the Makefile to the directory of the toolchain's embedded libraries, makes /init: the
// modules below as Embedded Swift, static. Without it, `torpor` and the tests are built from the same sources.
let embeddedLibraries = Context.environment["TORPOR_EMBEDDED_LIBRARIES"]
// TORPOR_FUZZ makes the fuzzer: all modules with libFuzzer's instrumentation and the sanitizers for C.
let isFuzzing = Context.environment["TORPOR_FUZZ"] != nil

let swiftSettings: [SwiftSetting] =
    [.treatAllWarnings(as: .error)]
    + (embeddedLibraries == nil
        ? []
        : [
            .enableExperimentalFeature("Embedded"),
            .unsafeFlags(["-wmo", "-Osize", "-Xfrontend", "-function-sections"]),
        ]) + (isFuzzing ? [.unsafeFlags(["-sanitize=fuzzer,address", "-enable-testing"])] : [])
let cSettings: [CSetting] =
    [.treatAllWarnings(as: .error), .enableWarning("all"), .enableWarning("extra")]
    + (isFuzzing ? [.unsafeFlags(["-fsanitize=address,undefined,fuzzer-no-link"])] : [])

func module(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: swiftSettings)
}

var targets: [Target] = [
    .target(name: "CLinux", cSettings: cSettings),
    .target(name: "CTrampoline", cSettings: cSettings),
    // With -O2 in debug builds too: the tests hash much.
    .target(name: "CXXHash", cSettings: cSettings + [.unsafeFlags(["-O2"])]),
    .target(name: "CVersion", cSettings: cSettings),
    .systemLibrary(name: "CBlkid", providers: [.apt(["libblkid-dev"])]),
    .systemLibrary(name: "CLZMA", providers: [.apt(["liblzma-dev"])]),
    .systemLibrary(name: "CLZ4", providers: [.apt(["liblz4-dev"])]),
    .systemLibrary(name: "CZstd", providers: [.apt(["libzstd-dev"])]),
    module("Basics", ["CVersion"]),
    module("Linux", ["Basics", "CLinux"]),
    module("Console", ["Basics", "Linux", "CLinux"]),
    module("BlockStore", ["Basics", "Linux", "CLinux", "CBlkid"]),
    module("BlockDevices", ["Basics", "Linux", "CLinux", "BlockStore"]),
    module("ELF", ["Basics"]),
    module("MemoryImage", ["Basics", "Linux", "BlockStore", "CLZMA", "CLZ4", "CXXHash", "CZstd"]),
    module("PhysicalMemory", ["Basics", "Linux", "ELF"]),
    module("Kexec", ["Basics", "Linux", "ELF", "CTrampoline"]),
    module(
        "Hibernation",
        ["Basics", "Linux", "Console", "BlockStore", "BlockDevices", "ELF", "MemoryImage", "PhysicalMemory", "Kexec"]),
]
var dependencies: [Package.Dependency] = []
var products: [Product] = []

if let embeddedLibraries {
    // The linker takes libraries in this order.
    let libraries = ["blkid", "lzma", "zstd", "lz4", "swiftUnicodeDataTables", "m"]
    let linkerSettings: [LinkerSetting] =
        [
            .unsafeFlags([
                "-L\(embeddedLibraries)", "-use-ld=lld", "-Xclang-linker", "-static", "-Xlinker", "--gc-sections",
                "-Xlinker", "--icf=all",
            ])
        ] + libraries.map { .linkedLibrary($0) }
    targets += [
        .executableTarget(
            name: "init", dependencies: ["Hibernation"], swiftSettings: swiftSettings, linkerSettings: linkerSettings),
        .executableTarget(
            name: "pattern", dependencies: ["Linux", "Basics"], path: "Tests/VM/Pattern", swiftSettings: swiftSettings,
            linkerSettings: linkerSettings),
    ]
    products += ["init", "pattern"].map { .executable(name: $0, targets: [$0]) }
} else {
    dependencies.append(.package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"))
    targets += [
        module(
            "TorporCommand",
            [
                "Basics", "Linux", "CLinux", "Console", "BlockDevices", "MemoryImage", "Hibernation",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ]),
        .executableTarget(
            name: "torpor", dependencies: ["TorporCommand"], swiftSettings: swiftSettings,
            linkerSettings: [.unsafeFlags(["-use-ld=lld"])]),
        .target(name: "Machines", path: "Tests/VM/Machines", swiftSettings: swiftSettings),
        .executableTarget(
            name: "torpor-demo", dependencies: ["Machines"], path: "Tests/VM/Demo", swiftSettings: swiftSettings),
        .executableTarget(
            name: "torpor-bench",
            dependencies: ["Machines", "Basics", "Linux", "ELF", "MemoryImage", "PhysicalMemory"],
            path: "Benchmarks",
            swiftSettings: swiftSettings),
        .testTarget(
            name: "VMTests",
            dependencies: ["Machines", "Fixtures", "Basics", "Linux", "MemoryImage", "PhysicalMemory"],
            path: "Tests/VM/Cases", swiftSettings: swiftSettings),
    ]
    // Images, kernels and devices that the tests of several modules make.
    targets.append(
        .target(
            name: "Fixtures", dependencies: ["Basics", "Linux", "MemoryImage"], path: "Tests/Fixtures",
            swiftSettings: swiftSettings))
    for (name, dependencies) in [
        ("Basics", ["Fixtures"]), ("Linux", ["Basics"]), ("Console", ["Basics", "Linux", "Fixtures"]),
        ("BlockStore", ["Basics", "Linux", "Fixtures"]),
        ("BlockDevices", ["Basics", "Linux", "BlockStore", "Fixtures"]),
        ("ELF", ["Basics", "Fixtures"]),
        ("MemoryImage", ["Basics", "Linux", "BlockStore", "Fixtures"]),
        ("PhysicalMemory", ["Basics", "Linux", "ELF", "Fixtures"]),
        ("Kexec", ["Basics", "Linux", "ELF", "Fixtures"]),
        (
            "Hibernation",
            [
                "Basics", "Linux", "Console", "BlockStore", "BlockDevices", "ELF", "MemoryImage", "PhysicalMemory",
                "Kexec", "Fixtures",
            ]
        ),
        // Some tests run the program.
        (
            "TorporCommand",
            ["torpor", "Basics", "Linux", "BlockStore", "BlockDevices", "MemoryImage", "Hibernation", "Fixtures"]
        ),
    ] as [(String, [Target.Dependency])] {
        targets.append(
            .testTarget(
                name: "\(name)Tests", dependencies: [.target(name: name)] + dependencies,
                swiftSettings: swiftSettings))
    }
    // Rules for the sources, as tests that read them.
    targets.append(.testTarget(name: "TidyTests", path: "Tests/Tidy", swiftSettings: swiftSettings))
    // Lives of hibernation partitions on a simulated disk.
    targets.append(
        .testTarget(
            name: "SimulationTests",
            dependencies: ["Basics", "Linux", "BlockStore", "MemoryImage", "Hibernation", "Fixtures"],
            path: "Tests/Simulation", swiftSettings: swiftSettings))
    targets += [
        .target(
            name: "FuzzTargets",
            dependencies: [
                "Basics", "Linux", "BlockStore", "BlockDevices", "ELF", "MemoryImage", "PhysicalMemory", "Kexec",
                "Hibernation", "Fixtures",
            ],
            path: "Tests/Fuzz/Targets", swiftSettings: swiftSettings),
        .testTarget(
            name: "FuzzTests", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Replay", swiftSettings: swiftSettings),
    ]
    if isFuzzing {
        targets.append(
            .executableTarget(
                name: "torpor-fuzz", dependencies: ["FuzzTargets"], path: "Tests/Fuzz/Fuzzer",
                swiftSettings: swiftSettings + [.unsafeFlags(["-parse-as-library"])],
                linkerSettings: [.unsafeFlags(["-use-ld=lld", "-sanitize=fuzzer,address"])]))
    }
    products.append(.executable(name: "torpor", targets: ["torpor"]))
}

let package = Package(name: "torpor", products: products, dependencies: dependencies, targets: targets)
