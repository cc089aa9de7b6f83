# SPDX-License-Identifier: Apache-2.0
"""The kernel and the rootfs.gz that a partition keeps for ordinary starts."""

from typing import BinaryIO, Optional

from fields import BLOCK, MIB, Extent, Fields, check, read_checked, round_up
from superblock import DATA_START, Superblock

MAGIC = b"TorporBF"
FILE_LIMIT = 256 * MIB


def read_boot_files(file: BinaryIO, superblock: Superblock) -> Optional[dict]:
    """Sizes, checksums and parameters, after the files were verified; None if there are none."""
    extent, what = superblock.boot_files, "boot files"
    if extent.size == 0:
        return None
    slot = superblock.boot_area_size // 2
    check(slot > 0 and extent.size == BLOCK and extent.offset in (DATA_START, DATA_START + slot), what,
          "the superblock names another place than a slot")
    header = Fields(read_checked(file, extent, superblock.number(552), what), what)
    check(header.has_magic(MAGIC), what, "the magic of the header is missing")
    result: dict = {"parameters": header.padded_text(64, 2048)}
    offset = extent.offset + BLOCK
    for name, field in (("kernel", 8), ("initrd", 24)):
        size, expected = header.number(field, 8), header.number(field + 8, 8)
        place = Extent(offset, size)
        check(size <= FILE_LIMIT and place.end <= superblock.data_area.start, what, f"the {name} leaves the area")
        data = read_checked(file, place, expected, f"{what}, {name}")
        result[name] = {"size": len(data), "checksum": f"{expected:016x}"}
        offset += round_up(size, BLOCK)
    return result
