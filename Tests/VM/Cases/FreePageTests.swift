// SPDX-License-Identifier: Apache-2.0
import Machines
import Testing

extension MachineTests {
    /// Kernel B leaves out free pages and only those. The tests compare every page in use, on a machine whose memory is full of
    /// other data when kernel C starts.
    @Suite(.serialized) struct FreePageTests {
        /// Fills most of a machine's memory, hibernates, and compares every page; then checks that free memory is zero.
        private func expectEveryPage(
            _ name: String, commandLine: String = "", mebibytes: Int, _ memory: String = "1G"
        ) throws -> Machine.Result {
            let lab = try Lab(name)
            var a = try lab.kernelA(
                "a", disks: [try lab.partitionedDisk("hibernation", 2 << 30)], files: ["bin/pattern": Products.pattern],
                """
                # Pages that were in use and are free again, so that they are not zero.
                dd if=/dev/urandom of=/tmp/freed bs=1M count=48 2>/dev/null
                pattern fill \(mebibytes) /tmp/compare >/tmp/result &
                until [ -e /tmp/compare.filled ]; do sleep 0.1; done
                rm /tmp/freed
                expect format torpor format /dev/vda1
                expect hibernate hibernate
                touch /tmp/compare
                wait
                expect "every page" grep -q "pages are right" /tmp/result
                cat /tmp/result
                expect "free memory is zero" pattern zero 64
                expect cpus cpus_work 2
                """)
            a.memory = memory
            a.commandLine = commandLine
            a.timeout = 600
            a.alarms.append("memory corruption")
            let saved = try lab.run(a)
            saved.expectConsole("torpor: powering off")
            var c = lab.kernelC("c", like: a)
            c.dirtyMemory = try lab.garbage(mebibytes: 512)
            try lab.run(c).expectDone()
            return saved
        }

        @Test func restoresEveryPageInUse() throws {
            let saved = try expectEveryPage("every-page", mebibytes: 560)
            #expect(saved.console.contains(/torpor: leaving out [0-9.]+ MiB of free pages/))
            #expect(!saved.console.contains("saving free pages too"))
            #expect(!saved.console.contains("restored as zeros"))
        }

        @Test(.completeRunOnly) func keepsFreePagesZeroWithInitOnFree() throws {
            let saved = try expectEveryPage("init-on-free", commandLine: "init_on_free=1", mebibytes: 160)
            saved.expectConsole("of free pages, to be restored as zeros")
        }

        @Test(.completeRunOnly) func savesFreePagesWithPagePoisoning() throws {
            let saved = try expectEveryPage("page-poison", commandLine: "page_poison=1", mebibytes: 160)
            saved.expectConsole("saving free pages too: leave out kernel A's free pages: kernel A poisons them")
        }

        @Test(.completeRunOnly) func restoresWithUnmappedFreePages() throws {
            _ = try expectEveryPage("debug-pagealloc", commandLine: "debug_pagealloc=on", mebibytes: 160)
        }

        /// Kernel B leaves out the free pages on per-CPU lists, on the list of the CPU that stays online as well.
        @Test(.completeRunOnly) func leavesOutThePerCPUListOfTheFirstCPU() throws {
            let lab = try Lab("per-cpu-lists")
            var a = try lab.kernelA(
                "a", disks: [try lab.partitionedDisk(), try lab.disk("unwritten", 512 << 20)],
                """
                expect format torpor format /dev/vda1
                # Frees memory on the first CPU after torpor has loaded kernel B, while it waits for sync.
                echo 8 >/proc/sys/vm/percpu_pagelist_high_fraction
                mkfifo /tmp/pid /tmp/freeing /tmp/status /tmp/end
                cat >/tmp/free-when-loaded <<'END'
                read -r torpor </tmp/pid
                until read -r loaded </sys/kernel/kexec_loaded && [ "$loaded" = 1 ]; do :; done
                kill -STOP $torpor
                : >/tmp/freed
                echo $torpor >/tmp/freeing
                read -r end </tmp/end
                END
                exec 3>/dev/vdb
                watched() { taskset 2 sh -c 'echo $$ >/tmp/pid; exec torpor "$@"' sh "$@"; echo $? >/tmp/status; }
                listed_for_first() {
                    taskset 2 awk '/cpu:/ { cpu = $2 } /count:/ && cpu == 0 { n += $2 } END { print n }' /proc/zoneinfo
                }
                for session in 1 2; do
                    dd if=/dev/urandom of=/tmp/freed bs=1M count=100 2>/dev/null
                    dd if=/tmp/freed bs=1M >&3 2>/dev/null
                    taskset 1 sh /tmp/free-when-loaded &
                    freeing=$!
                    watched hibernate $torpor_b --after return --append torpor.debug --allow-unwatched &
                    read -r torpor </tmp/freeing
                    listed=$(listed_for_first)
                    kill -CONT $torpor
                    read -r status </tmp/status
                    : >/tmp/end
                    wait $freeing
                    expect hibernate [ "$status" = 0 ]
                    expect "$listed pages on the list" [ $listed -gt 8192 ]
                done
                """)
            // After many frees in a row, the second free of a larger block drains the list (mm/page_alloc.c, free_high). The
            // kernel itself frees slabs, during the jump as well, so slabs must be single pages.
            a.commandLine = "slab_max_order=0"
            let result = try lab.run(a)
            result.expectDone()
            let lines = result.console.matches(
                of: /torpor: ([0-9]+) pages are free; kernel A counted ([0-9]+), and ([0-9]+) on per-CPU lists/)
            #expect(lines.count == 2)
            for line in lines {
                let found = try #require(Int(line.1)), free = try #require(Int(line.2)),
                    listed = try #require(Int(line.3))
                #expect(found + 4096 > free + listed)
            }
        }

        /// Kernel B does not save the pages from which it was loaded: a larger initrd does not make a larger image.
        @Test(.completeRunOnly) func doesNotSaveTheLoadedKernel() throws {
            let lab = try Lab("loaded")
            let a = try lab.kernelA(
                "a", disks: [try lab.partitionedDisk()],
                """
                mkdir /tmp/more
                dd if=/dev/urandom of=/tmp/more/random bs=1M count=24 2>/dev/null
                (cd /tmp/more && echo random | cpio -o -H newc 2>/dev/null | cat - /boot/rootfs.gz >/tmp/large)
                expect format torpor format --boot-files 128M /dev/vda1
                data_pages() {
                    torpor hibernate --json --after return --kernel /boot/bzImage --initrd $1 >/tmp/answer || return 1
                    tr -d '[:space:]' </tmp/answer | sed -n 's/.*"dataPages":\\([0-9]*\\).*/\\1/p'
                }
                small=$(data_pages /boot/rootfs.gz)
                large=$(data_pages /tmp/large)
                # The random file has 6144 pages.
                expect "$small pages, $large with a large initrd" [ $large -lt $((small + 3072)) ]
                """)
            try lab.run(a).expectDone()
        }
    }
}
