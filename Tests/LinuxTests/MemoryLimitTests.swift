// SPDX-License-Identifier: Apache-2.0
import Foundation
import Linux
import Testing

/// Control groups as folders of a temporary one.
@Suite struct MemoryLimitTests {
    private let root = FileManager.default.temporaryDirectory.appending(path: "torpor-\(Foundation.UUID().uuidString)")
        .path
    private let unified = "25 20 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
    private let old = """
        30 20 0:25 / /sys/fs/cgroup/cpu,cpuacct rw shared:5 - cgroup cgroup rw,cpu,cpuacct
        31 20 0:26 / /sys/fs/cgroup/memory rw shared:6 - cgroup cgroup rw,memory

        """

    private func write(_ path: String, _ text: String) throws {
        let file = "\(root)/sys/fs/cgroup/\(path)"
        try FileManager.default.createDirectory(
            atPath: (file as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try text.write(toFile: file, atomically: false, encoding: .utf8)
    }

    private func remove() { try? FileManager.default.removeItem(atPath: root) }

    @Test func takesTheNarrowestGroup() throws {
        defer { remove() }
        func limit() -> MemoryLimit? {
            controlGroupLimit(groups: "0::/user.slice/job.scope\n", mounts: unified, root: root)
        }
        try write("cgroup.controllers", "memory\n")
        try write("user.slice/job.scope/memory.max", "max\n")
        try write("user.slice/job.scope/memory.high", "max\n")
        try write("user.slice/job.scope/memory.current", "1000\n")
        #expect(limit() == nil)
        try write("user.slice/memory.max", "1000000\n")
        try write("user.slice/memory.current", "400000\n")
        #expect(limit()?.bytes == 600_000)
        #expect(limit()?.name == "memory.max of the control group /user.slice")
        // Inactive pages of the page cache can be reclaimed.
        try write("user.slice/memory.stat", "anon 1\ninactive_file 100000\n")
        #expect(limit()?.bytes == 700_000)
        try write("user.slice/job.scope/memory.high", "51000\n")
        #expect(limit()?.bytes == 50_000)
        #expect(limit()?.name == "memory.high of the control group /user.slice/job.scope")
        try write("user.slice/job.scope/memory.max", "500\n")
        #expect(limit()?.bytes == 0, "more is used than the limit allows")
    }

    @Test func readsControlGroupsOfVersionOne() throws {
        defer { remove() }
        let groups = "4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n0::/\n"
        func limit() -> MemoryLimit? { controlGroupLimit(groups: groups, mounts: old, root: root) }
        try write("memory/memory.limit_in_bytes", "9223372036854771712\n")
        try write("memory/memory.usage_in_bytes", "5\n")
        #expect(limit() == nil)
        try write("memory/docker/x/memory.limit_in_bytes", "1000\n")
        try write("memory/docker/x/memory.usage_in_bytes", "300\n")
        try write("memory/docker/x/memory.stat", "total_inactive_file 200\n")
        #expect(limit()?.bytes == 900)
        #expect(limit()?.name == "memory.limit_in_bytes of the control group /docker/x")
    }

    /// In a container the group's path is one that is not mounted there.
    @Test func readsAControlGroupMountedAtTheTop() throws {
        defer { remove() }
        try write("memory.max", "1000\n")
        try write("memory.current", "100\n")
        let limit = controlGroupLimit(groups: "0::/../../elsewhere\n", mounts: unified, root: root)
        #expect(limit?.bytes == 900)
        #expect(controlGroupLimit(groups: "garbage\n0:\n\n", mounts: unified, root: root) == nil)
        #expect(controlGroupLimit(groups: "0::/\n", mounts: "garbage\n- -\n", root: root) == nil)
    }

    /// With thousands of containers the table of mounts has megabytes.
    @Test func readsALongMountTable() throws {
        defer { remove() }
        try write("memory.max", "1000\n")
        try write("memory.current", "100\n")
        let proc = "\(root)/proc"
        try FileManager.default.createDirectory(atPath: "\(proc)/self", withIntermediateDirectories: true)
        try "0::/\n".write(toFile: "\(proc)/self/cgroup", atomically: false, encoding: .utf8)
        let other = "90 20 0:40 / /var/lib/containers/storage/overlay/0123456789abcdef/merged rw - overlay overlay rw\n"
        let table = String(repeating: other, count: 20_000) + unified
        #expect(table.utf8.count > 1 << 20)
        try table.write(toFile: "\(proc)/self/mountinfo", atomically: false, encoding: .utf8)
        #expect(controlGroupLimit(proc: proc, root: root)?.bytes == 900)
        #expect(controlGroupLimit(proc: "\(root)/nowhere", root: root) == nil)
    }
}
