// SPDX-License-Identifier: Apache-2.0
import Basics
import Linux
import Testing

@Suite struct KernelTablesTests {
    @Test(arguments: [
        ("MemTotal:       1023456 kB\nMemFree:          512 kB\n", "MemFree", 512),
        ("Name:\tinit\nVmHWM:\t    4096 kB\n", "VmHWM", 4096),
        ("nr_free_pages 17\nnr_free_cma 3\n", "nr_free_pages", 17),
        ("MemFreeOther: 5 kB\n", "MemFree", nil), ("MemFree: many kB\n", "MemFree", nil),
        ("MemFree:\n", "MemFree", nil),
        ("", "MemFree", nil),
    ])
    func readsNumbersByName(table: String, name: String, expected: UInt64?) {
        #expect(number(name, in: table) == expected)
    }

    @Test func readsTheTablesOfThisMachine() throws {
        let total = try memoryInformation("MemTotal")
        #expect(try memoryInformation("MemAvailable") <= total)
        #expect(try peakMemory() > 1 << 20)
        #expect(throws: Failure.self) { try memoryInformation("MemNothing") }
    }

    @Test func addsUpPerCPULists() {
        let table = """
            Node 0, zone      DMA
              pages free     2689
              pagesets
                cpu: 0
                          count:    63
                          high:     14
                cpu: 1
                          count: 7
            Node 0, zone    DMA32
              pagesets
                cpu: 0
                          count:    200
                cpu: 10
                          count: 1000
                cpu: x
                          count: 
            """
        #expect(pagesOnPerCPULists(inZoneInfo: table) == 1270)
        #expect(pagesOnPerCPULists(of: 0, inZoneInfo: table) == 263)
        #expect(pagesOnPerCPULists(of: 1, inZoneInfo: table) == 7)
        #expect(pagesOnPerCPULists(of: 2, inZoneInfo: table) == 0)
        #expect(pagesOnPerCPULists(inZoneInfo: "count: x\ncount:\ncounts: 3") == 0)
    }

    /// 550 CPUs in two zones, some 3 MB.
    @Test func addsUpPerCPUListsOfManyCPUs() {
        var count = PerCPUListCount()
        var first = PerCPUListCount(549)
        for zone in ["DMA32", "Normal"] {
            for line in ["Node 0, zone \(zone)", "  pages free     3840", "  pagesets"] { count.take(line) }
            for cpu in 0..<550 {
                for line in ["    cpu: \(cpu)", "              count:    \(cpu)", "              high:  5"] {
                    count.take(line)
                    first.take(line)
                }
            }
        }
        #expect(count.sum == 2 * 549 * 550 / 2)
        #expect(first.sum == 2 * 549)
    }
}
