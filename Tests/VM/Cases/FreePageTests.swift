import Machines
import Testing

extension MachineTests {
    /// Free pages are left out, and nothing else is: every page in use is compared, in a machine whose memory is full of
    /// something else when kernel C starts.
    @Suite(.serialized) struct FreePages {
        /// Fills most of a machine's memory, hibernates, and compares; then looks at memory that was free.
        private func expectEveryPage(
            _ name: String, commandLine: String = "", mebibytes: Int, _ memory: String = "1G"
        ) throws -> Machine.Result {
            let lab = try Lab(name)
            var a = try lab.kernelA(
                "a", disks: [try lab.disk("hibernation", 2 << 30)], files: ["bin/pattern": Products.pattern],
                """
                # Pages that were used and are free again, so that they hold something.
                dd if=/dev/urandom of=/tmp/freed bs=1M count=48 2>/dev/null
                pattern fill \(mebibytes) /tmp/compare >/tmp/result &
                until [ -e /tmp/compare.filled ]; do sleep 0.1; done
                rm /tmp/freed
                expect format torpor format /dev/vda
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

        @Test func comesBackWithEveryPageInUse() throws {
            let saved = try expectEveryPage("every-page", mebibytes: 560)
            #expect(saved.console.contains(/torpor: leaving out [0-9.]+ MiB of free pages/))
            #expect(!saved.console.contains("saving free pages too"))
            #expect(!saved.console.contains("come back as zeros"))
        }

        @Test func keepsFreePagesZeroWhereTheKernelReliesOnIt() throws {
            let saved = try expectEveryPage("init-on-free", commandLine: "init_on_free=1", mebibytes: 300)
            saved.expectConsole("of free pages, to come back as zeros")
        }

        @Test func savesFreePagesWhereTheKernelPoisonsThem() throws {
            let saved = try expectEveryPage("page-poison", commandLine: "page_poison=1", mebibytes: 300)
            saved.expectConsole("saving free pages too: leave out kernel A's free pages: it poisons them")
        }

        @Test func comesBackWithFreePagesUnmapped() throws {
            _ = try expectEveryPage("debug-pagealloc", commandLine: "debug_pagealloc=on", mebibytes: 300)
        }
    }
}
