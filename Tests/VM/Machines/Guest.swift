// SPDX-License-Identifier: Apache-2.0
import Foundation

/// The user space of a guest, assembled in code: busybox, torpor, kernel B with rootfs.gz, and the test's script as PID 1.
public enum Guest {
    /// Functions for every script:
    /// - `say WORD…` writes a line to the verdict port, the second serial port; `fail WORD…` writes a failure;
    /// - `expect NAME COMMAND…` says `ok NAME`, or fails with the output of the command;
    /// - `refuses NAME TEXT COMMAND…` expects exit status 1, and TEXT in the output after `torpor: `.
    private static let prelude = #"""
        #!/bin/sh
        mkdir -p /proc /sys /dev /tmp /mnt
        mount -t proc proc /proc
        mount -t sysfs sysfs /sys
        mount -t devtmpfs devtmpfs /dev
        [ -d /sys/kernel/security ] && mount -t securityfs securityfs /sys/kernel/security
        mount -t tmpfs -o size=90% tmpfs /tmp
        export PATH=/bin:/sbin HOME=/
        if [ -f /etc/torpor/modules ]; then
            while read -r path options; do
                [ "$path" = kernel ] || insmod $path $options || echo "cannot load $path"
            done </etc/torpor/modules
        fi
        verdict=/dev/ttyS1
        # The firmware may have written to this port.
        echo >$verdict
        say() { echo "verdict: $*"; echo "$*" >$verdict; }
        fail() { say "FAILED $*"; }
        expect() {
            name=$1; shift
            if output=$("$@" 2>&1); then say "ok $name"; else fail "$name: status $?: $(echo $output)"; fi
        }
        refuses() {
            name=$1; text=$2; shift 2
            output=$("$@" 2>&1); status=$?
            case "$status $output" in
                # Progress and warnings may precede the error.
                "1 torpor: "*"$text"* | "1 "*"
        torpor: "*"$text"*) say "ok $name" ;;
                *) fail "$name: status $status: $(echo $output)" ;;
            esac
        }
        torpor_b="--kernel /boot/bzImage --initrd /boot/rootfs.gz"
        hibernate() { torpor hibernate $torpor_b "$@"; }
        # Starts a process that counts; checks that it continues from a number.
        start_counting() {
            (i=0; while :; do i=$((i + 1)); echo $i >/tmp/count.new; mv /tmp/count.new /tmp/count; sleep 0.05; done) &
        }
        counts_on() {
            before=$1; sleep 0.5; first=$(cat /tmp/count); sleep 0.5; second=$(cat /tmp/count)
            [ $before -le $first ] && [ $first -lt $second ] || { echo "$before, $first, $second"; return 1; }
        }
        cpus_work() {
            [ "$(cat /sys/devices/system/cpu/online)" = "$([ $1 = 1 ] || echo 0-)$(($1 - 1))" ] || return 1
            for cpu in $(seq 0 $(($1 - 1))); do taskset $((1 << cpu)) true || return 1; done
        }
        # Writes to a disk and reads it back, with direct I/O.
        disk_works() {
            dd if=/dev/urandom of=/tmp/pattern bs=4096 count=16 2>/dev/null
            dd if=/tmp/pattern of=$1 bs=4096 seek=16 oflag=direct conv=notrunc 2>/dev/null || return 1
            dd if=$1 of=/tmp/pattern.read bs=4096 skip=16 count=16 iflag=direct 2>/dev/null || return 1
            cmp /tmp/pattern /tmp/pattern.read
        }
        # Fills a session with data and a process; checks them after the resume.
        start_session() {
            dd if=/dev/urandom of=/tmp/data bs=1M count=64 2>/dev/null
            md5sum /tmp/data >/tmp/sum
            start_counting
            sleep 0.3
            count=$(cat /tmp/count)
        }
        expect_session() {
            expect "64 MiB of random data are unchanged" md5sum -c /tmp/sum
            expect "the process continues to count from $count" counts_on $count
            expect "all $(nproc) CPUs work" cpus_work $(nproc)
            expect "the disk works" disk_works $1
        }

        """#

    private static let epilogue = "\nsay done\npoweroff -f\n"

    /// Writes an initramfs with a script as its init, and returns the file.
    /// - Parameters:
    ///   - files: more files, by their path in the guest.
    ///   - disks: the machine's disks: the guest loads the modules that they need.
    ///   - hibernates: false leaves out torpor and kernel B, for a guest with little memory.
    public static func initrd(
        _ script: String, files: [String: URL] = [:], disks: [Machine.Disk] = [], hibernates: Bool = true,
        in folder: URL, name: String
    ) throws -> URL {
        var archive = CPIOArchive()
        try archive.add("bin/busybox", contentsOf: URL(filePath: "/bin/busybox"))
        for applet in try applets() where applet != "busybox" { archive.add("bin/\(applet)", linkTo: "busybox") }
        if hibernates {
            try archive.add("bin/torpor", contentsOf: Products.torpor)
            try archive.add("boot/bzImage", contentsOf: Products.kernel, mode: 0o644)
            try archive.add("boot/rootfs.gz", contentsOf: Products.rootfs(for: disks), mode: 0o644)
        }
        for (path, file) in try Products.modules(for: disks) { try archive.add(path, contentsOf: file, mode: 0o644) }
        for (path, file) in files { try archive.add(path, contentsOf: file) }
        archive.add("etc/passwd", Data("root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n".utf8))
        archive.add("init", Data((prelude + script + epilogue).utf8), mode: 0o755)
        let file = folder.appending(path: "\(name).initrd")
        try archive.finished().write(to: file)
        return file
    }

    /// A program of this machine with its libraries, for a guest's `files`.
    public static func program(_ path: String) throws -> [String: URL] {
        var files = [path: URL(filePath: path)]
        for word in try Tool.run("/usr/bin/ldd", path).split(whereSeparator: \.isWhitespace) where word.hasPrefix("/") {
            files[String(word)] = URL(filePath: String(word)).resolvingSymlinksInPath()
        }
        return files
    }

    /// Makes an ext4 root file system. Its /sbin/init is a script with the functions of every script. For machines without
    /// kernel A.
    public static func makeRootFileSystem(on disk: URL, _ script: String) throws {
        let root = disk.deletingPathExtension().appendingPathExtension("root")
        let bin = root.appending(path: "bin")
        for folder in ["bin", "sbin", "etc", "proc", "sys", "dev", "run", "tmp", "mnt"] {
            try FileManager.default.createDirectory(
                at: root.appending(path: folder), withIntermediateDirectories: true)
        }
        try FileManager.default.copyItem(at: URL(filePath: "/bin/busybox"), to: bin.appending(path: "busybox"))
        for applet in try applets() where applet != "busybox" {
            try FileManager.default.createSymbolicLink(
                atPath: bin.appending(path: applet).path, withDestinationPath: "busybox")
        }
        // systemd changes only to a root file system with this file.
        try Data("ID=guest\nNAME=guest\n".utf8).write(to: root.appending(path: "etc/os-release"))
        let program = root.appending(path: "sbin/init")
        try Data((prelude + script + epilogue).utf8).write(to: program)
        try Tool.run("/bin/chmod", "755", program.path)
        try Tool.run("/sbin/mke2fs", "-q", "-F", "-t", "ext4", "-d", root.path, disk.path)
        try FileManager.default.removeItem(at: root)
    }

    private static func applets() throws -> [String] {
        try Tool.run("/bin/busybox", "--list").split(separator: "\n").map(String.init)
    }
}
