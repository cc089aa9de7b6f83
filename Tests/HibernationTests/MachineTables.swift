// SPDX-License-Identifier: Apache-2.0
// Long because: the tables of seven machines, as their kernels wrote them.

/// Tables of real machines, with names and identifiers replaced.
enum MachineTables {
    static let kmem = """
        00001000-0009ffff : System RAM
        00100000-7fffffff : System RAM
        100000000-17fffffff : System RAM
        200000000-5bfffffff : dax6.0
          200000000-5bfffffff : System RAM (kmem)
        5c0001128-5c00011b7 : port1
        5d0000000-64fffffff : CXL Window 0
          5d0000000-64fffffff : region0
            5d0000000-64fffffff : dax0.0
              5d0000000-64fffffff : System RAM (kmem)
        680000000-e7fffffff : PCI Bus 0000:00
        """

    static let bhyve = """
        00000000-00000fff : Reserved
        00001000-0009fffe : System RAM
        000f0000-000fffff : System ROM
        00100000-3fffffff : System RAM
        """

    static let haswell = """
        00000000-00000fff : Reserved
        00001000-00057fff : System RAM
        00058000-00058fff : Reserved
        00059000-0005efff : System RAM
        0005f000-0005ffff : Reserved
        00060000-0009efff : System RAM
        0009f000-0009ffff : Reserved
        000a0000-000bffff : PCI Bus 0000:00
        000c0000-000cfdff : Video ROM
        000d0000-000d0fff : Adapter ROM
        000f0000-000fffff : System ROM
        00100000-bd336fff : System RAM
        bd337000-bd7b2fff : Reserved
        bd7b3000-d9dbafff : System RAM
        d9dbb000-d9ef2fff : Reserved
        d9ef3000-d9f15fff : ACPI Tables
        d9f16000-da686fff : System RAM
        da687000-dade2fff : ACPI Non-volatile Storage
        dade3000-dba62fff : Reserved
        dba63000-dbafefff : Unknown E820 type
        dbaff000-dbafffff : System RAM
        dbb00000-dbffffff : RAM buffer
        dd000000-df7fffff : Reserved
          dd800000-df7fffff : Graphics Stolen Memory
        df800000-feafffff : PCI Bus 0000:00
          df800000-df9fffff : PCI Bus 0000:01
          dfa00000-dfbfffff : PCI Bus 0000:01
          e0000000-efffffff : 0000:00:02.0
          f7000000-f70fffff : PCI Bus 0000:03
            f7000000-f7001fff : 0000:03:00.0
              f7000000-f7001fff : iwlwifi
          f7219000-f72197ff : 0000:00:1f.2
            f7219000-f72197ff : ahci
          f7fe0000-f7feffff : pnp 00:05
          f7ff0000-f7ffffff : pnp 00:05
          f8000000-fbffffff : PCI MMCONFIG 0000 [bus 00-3f]
            f8000000-fbffffff : Reserved
              f8000000-fbffffff : pnp 00:05
        fec00000-fec00fff : Reserved
          fec00000-fec003ff : IOAPIC 0
        fed00000-fed03fff : Reserved
          fed00000-fed003ff : HPET 0
            fed00000-fed003ff : PNP0103:00
        fed10000-fed17fff : pnp 00:05
        fed18000-fed18fff : pnp 00:05
        fed19000-fed19fff : pnp 00:05
        fed1c000-fed1ffff : Reserved
          fed1c000-fed1ffff : pnp 00:05
            fed1f410-fed1f414 : iTCO_wdt.0.auto
            fed1f800-fed1f9ff : intel-spi
        fed20000-fed3ffff : pnp 00:05
        fed45000-fed8ffff : pnp 00:05
        fed90000-fed90fff : dmar0
        fed91000-fed91fff : dmar1
        fee00000-fee00fff : Local APIC
          fee00000-fee00fff : Reserved
        ff000000-ffffffff : Reserved
          ff000000-ffffffff : INT0800:00
            ff000000-ffffffff : pnp 00:05
        100000000-11f7fffff : System RAM
          101800000-102600e60 : Kernel code
          102600e61-10305063f : Kernel data
          10330b000-1037fffff : Kernel bss
        11f800000-11fffffff : RAM buffer
        """

    static let amdLaptop = """
        00000000-00000fff : Reserved
        00001000-0009efff : System RAM
        0009f000-000fffff : Reserved
          000a0000-000bffff : PCI Bus 0000:00
          000f0000-000fffff : System ROM
        00100000-03ffffff : System RAM
        04000000-0403ffff : Reserved
        04040000-05dfffff : System RAM
        05e00000-05ffffff : Reserved
        06000000-730f5fff : System RAM
        730f6000-76edcfff : Reserved
        76edd000-76f1cfff : ACPI Tables
        76f1d000-797fdfff : ACPI Non-volatile Storage
        797fe000-7a9fdfff : Reserved
        7a9fe000-7bffffff : System RAM
        7c000000-7fffffff : Reserved
        100000000-25effffff : System RAM
        """

    static let vmcoreInfoWithSME = """
        NUMBER(SECTION_SIZE_BITS)=27
        NUMBER(MAX_PHYSMEM_BITS)=46
        SIZE(page)=64
        SIZE(pglist_data)=175168
        SIZE(zone)=1728
        SIZE(free_area)=104
        SIZE(list_head)=16
        SIZE(nodemask_t)=128
        OFFSET(page.flags)=0
        OFFSET(page._refcount)=52
        OFFSET(page.mapping)=24
        OFFSET(page.lru)=8
        OFFSET(page._mapcount)=48
        OFFSET(page.private)=40
        OFFSET(page.compound_dtor)=16
        OFFSET(page.compound_order)=17
        OFFSET(page.compound_head)=8
        OFFSET(zone.free_area)=256
        OFFSET(zone.vm_stat)=1536
        OFFSET(zone.spanned_pages)=144
        LENGTH(zone.free_area)=11
        LENGTH(free_area.free_list)=6
        NUMBER(NR_FREE_PAGES)=0
        NUMBER(PG_lru)=4
        NUMBER(PG_private)=13
        NUMBER(PG_swapcache)=10
        NUMBER(PG_swapbacked)=19
        NUMBER(PG_slab)=9
        NUMBER(PG_hwpoison)=23
        NUMBER(PG_head_mask)=65536
        NUMBER(PAGE_BUDDY_MAPCOUNT_VALUE)=-129
        NUMBER(HUGETLB_PAGE_DTOR)=2
        NUMBER(PAGE_OFFLINE_MAPCOUNT_VALUE)=-257
        SYMBOL(kallsyms_names)=ffffffffb654a988
        NUMBER(phys_base)=31541166080
        SYMBOL(init_top_pgt)=ffffffffb7010000
        NUMBER(pgtable_l5_enabled)=0
        SYMBOL(node_data)=ffffffffb7315820
        LENGTH(node_data)=1024
        KERNELOFFSET=34000000
        NUMBER(KERNEL_IMAGE_SIZE)=1073741824
        NUMBER(sme_mask)=140737488355328
        """

    static let vmcoreInfoOfFedora = """
        OSRELEASE=6.12.8-100.fc40.x86_64
        BUILD-ID=0000000000000000000000000000000000000000
        PAGESIZE=4096
        SYMBOL(init_uts_ns)=ffffffff9ebdefa0
        OFFSET(uts_namespace.name)=0
        SYMBOL(node_online_map)=ffffffff9ec48420
        SYMBOL(swapper_pg_dir)=ffffffff9e82a000
        SYMBOL(_stext)=ffffffff9c000000
        NUMBER(VMALLOC_START)=0xffffa5c140000000
        SYMBOL(vmemmap)=ffffd90a40000000
        SYMBOL(mem_section)=ffff8f3a6dfcd2c0
        LENGTH(mem_section)=4096
        SIZE(mem_section)=32
        OFFSET(mem_section.section_mem_map)=0
        NUMBER(SECTION_SIZE_BITS)=27
        NUMBER(MAX_PHYSMEM_BITS)=46
        SIZE(page)=64
        SIZE(pglist_data)=175424
        SIZE(zone)=1728
        SIZE(free_area)=104
        SIZE(list_head)=16
        SIZE(nodemask_t)=128
        OFFSET(page.flags)=0
        OFFSET(page._refcount)=52
        KERNELOFFSET=1b000000
        NUMBER(KERNEL_IMAGE_SIZE)=1073741824
        NUMBER(sme_mask)=0
        """

    /// Kernel command lines, one a line.
    static let commandLines = """
        BOOT_IMAGE=/vmlinuz-6.6.15-amd64 root=UUID=00000000-0000-4000-8000-000000000001 ro quiet pci=noaer mem_sleep_default=deep log_buf_len=8M cryptomgr.notests i8042.dumbkbd=1
        BOOT_IMAGE=/bzImage root=/dev/nvme0n1p3 rootfstype=ext4 net.ifnames=0 mitigations=off usb-storage.quirks=0bda:0328:i i915.enable_psr=0 ia32_emulation=true thinkpad_acpi.fan_control=1
        BOOT_IMAGE=/vmlinuz-5.8.5_1 root=UUID=00000000-0000-4000-8000-000000000002 ro loglevel=6 slub_debug=P page_poison=1
        root=UUID=00000000-0000-4000-8000-000000000003 ro rootflags=subvol=@rootfs  earlyprintk=xen console=hvc0
        BOOT_IMAGE=/boot/vmlinuz-5.3.18-24.37-default root=UUID=00000000-0000-4000-8000-000000000004 console=ttyS0 net.ifnames=0 nvme_core.io_timeout=4294967295 nvme_core.admin_timeout=4294967295 8250.nr_uarts=4
        BOOT_IMAGE=(hd0,msdos1)/boot/vmlinuz-4.18.0-552.el8.x86_64 ro console=ttyS0,115200n8 no_timer_check net.ifnames=0 nvme_core.io_timeout=4294967295 nvme_core.max_retries=10 irqpoll nr_cpus=1 reset_devices cgroup_disable=memory mce=off numa=off udev.children-max=2 panic=10 rootflags=nofail acpi_no_memhotplug transparent_hugepage=never nokaslr novmcoredd hest_disable disable_cpu_apicid=0
        BOOT_IMAGE=/vmlinuz-5.10.0-rc4 ro nomodeset net.ifnames=0 biosdevname=0 rdloaddriver=mlx5_core rdloaddriver=i40e rdloaddriver=ixgbe strict-devmem=0 console=ttyS0,115200n8 irqpoll nr_cpus=1 reset_devices cgroup_disable=memory mce=off numa=off udev.children-max=2 panic=10 rootflags=nofail acpi_no_memhotplug transparent_hugepage=never nokaslr disable_cpu_apicid=0 elfcorehdr=403684744K
        """

    /// Memory maps as the kernel logs them: a name behind `#`, then inclusive bounds and types.
    static let memoryMaps = """
        # AMD desktop, UEFI (id 34276617884); hole of ACPI NVS at 64 MiB, reserved at 157 MiB
        0000000000000000-000000000009ffff usable
        00000000000a0000-00000000000fffff reserved
        0000000000100000-0000000003ffffff usable
        0000000004000000-0000000004009fff ACPI NVS
        000000000400a000-0000000009cfffff usable
        0000000009d00000-0000000009ffffff reserved
        000000000a000000-000000000affffff usable
        000000000b000000-000000000b01ffff reserved
        000000000b020000-00000000da307fff usable
        00000000da308000-00000000db804fff reserved
        00000000db805000-00000000db82cfff ACPI data
        00000000db82d000-00000000dbcddfff ACPI NVS
        00000000dbcde000-00000000dc7f5fff reserved
        # AMD laptop (id 381882153): two holes below 128 MiB
        0000000000000000-000000000009efff usable
        000000000009f000-00000000000fffff reserved
        0000000000100000-0000000003ffffff usable
        0000000004000000-000000000403ffff reserved
        0000000004040000-0000000005dfffff usable
        0000000005e00000-0000000005ffffff reserved
        0000000006000000-00000000730f5fff usable
        00000000730f6000-0000000076edcfff reserved
        0000000076edd000-0000000076f1cfff ACPI data
        0000000076f1d000-00000000797fdfff ACPI NVS
        00000000797fe000-000000007a9fdfff reserved
        000000007a9fe000-000000007bffffff usable
        000000007c000000-000000007fffffff reserved
        # AMD desktop under Xen dom0 (id 414750400)
        0000000000000000-000000000009ffff usable
        00000000000a0000-00000000000fffff reserved
        0000000000100000-0000000003ffffff usable
        0000000004000000-0000000004045fff ACPI NVS
        0000000004046000-0000000009afefff usable
        0000000009aff000-0000000009ffffff reserved
        000000000a000000-000000000affffff usable
        000000000b000000-000000000b020fff reserved
        000000000b021000-00000000a04e8fff usable
        # AMD board, BIOS boot (id 57014277650)
        0000000000000000-000000000009d3ff usable
        000000000009d400-000000000009ffff reserved
        00000000000e0000-00000000000fffff reserved
        0000000000100000-0000000003ffffff usable
        0000000004000000-000000000400ffff ACPI NVS
        0000000004010000-0000000009bfffff usable
        0000000009c00000-0000000009ffffff reserved
        000000000a000000-00000000a70f0fff usable
        # Intel laptop, UEFI, "type 20" (id 560506267)
        0000000000000000-0000000000057fff usable
        0000000000058000-0000000000058fff reserved
        0000000000059000-000000000009dfff usable
        000000000009e000-00000000000fffff reserved
        0000000000100000-000000000fffffff usable
        0000000010000000-0000000012150fff reserved
        0000000012151000-0000000074540fff usable
        0000000074541000-0000000074a40fff reserved
        0000000074a41000-0000000074d40fff type 20
        0000000074d41000-0000000077740fff reserved
        0000000077741000-00000000777a0fff ACPI NVS
        00000000777a1000-00000000777e0fff ACPI data
        00000000777e1000-0000000078cabfff usable
        # Chromebook, coreboot (id 34843183374): page 0 is type 16
        0000000000000000-0000000000000fff type 16
        0000000000001000-000000000009ffff usable
        00000000000a0000-00000000000fffff reserved
        0000000000100000-000000000fffffff usable
        0000000010000000-0000000012150fff reserved
        0000000012151000-000000007a9fcfff usable
        000000007a9fd000-000000007affffff type 16
        000000007b000000-000000007fffffff reserved
        00000000d0000000-00000000d0ffffff reserved
        # gaming laptop, ranges of some pages each (id 20106913308)
        0000000000000000-0000000000057fff usable
        0000000000058000-0000000000058fff reserved
        0000000000059000-000000000009dfff usable
        000000000009e000-000000000009ffff reserved
        0000000000100000-0000000030a5ffff usable
        0000000030a60000-0000000030a71fff reserved
        0000000030a72000-0000000030a89fff usable
        0000000030a8a000-0000000030a8afff ACPI NVS
        0000000030a8b000-0000000030ad4fff reserved
        0000000030ad5000-0000000030b2dfff usable
        """
}
