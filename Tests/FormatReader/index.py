# SPDX-License-Identifier: Apache-2.0
"""Where the chunks are: a table of index blocks, or the index in one piece that version 1 has."""

from typing import BinaryIO, Iterator, NamedTuple

from fields import BLOCK, MIB, Extent, Fields, check, read_checked
from superblock import Superblock

HEADER = 128
ENTRY = 32
TABLE_LIMIT = 2 * MIB
BLOCK_LIMIT = 64 << 10
BLOCK_ENTRIES = 2044
PIECE_LIMIT = 64 * MIB
CHUNK_PAGES = 256
# The longest header, in whole blocks, and 256 pages stored as they are.
CHUNK_LIMIT = 8192 + CHUNK_PAGES * 4096


class Entry(NamedTuple):
    """A chunk, as the index has it."""

    offset: int
    size: int
    stored_pages: int
    sequence: int
    header_checksum: int


class Row(NamedTuple):
    """An index block, as the table has it."""

    extent: Extent
    entries: int
    stored_pages: int
    checksum: int


def check_count(fields: Fields, magic: bytes, image_uuid: str) -> int:
    """Checks what table, block and piece have in common; returns the number of their rows or entries."""
    check(fields.has_magic(magic), fields.what, "its magic is missing")
    count = fields.number(24, 8)
    check(fields.number(4, 4) == ENTRY, fields.what, "its entries do not have 32 bytes")
    check(fields.uuid(8) == image_uuid, fields.what, "it belongs to another image")
    check(len(fields.data) == HEADER + count * ENTRY, fields.what, f"its size is not that of {count} entries")
    return count


def read_table(file: BinaryIO, superblock: Superblock) -> list[Row]:
    what, area = "index table", superblock.data_area
    superblock.index.check(area, TABLE_LIMIT, what)
    fields = Fields(read_checked(file, superblock.index, superblock.number(184), what), what)
    rows, behind = [], area.start
    for number in range(check_count(fields, b"ITBL", superblock.image_uuid)):
        at, name = HEADER + number * ENTRY, f"index block {number}"
        row = Row(Extent(fields.number(at, 8), fields.number(at + 8, 4)), fields.number(at + 12, 4),
                  fields.number(at + 16, 8), fields.number(at + 24, 8))
        row.extent.check(area, BLOCK_LIMIT, name)
        check(1 <= row.entries <= BLOCK_ENTRIES, name, f"it cannot have {row.entries} entries")
        check(row.stored_pages <= row.entries * CHUNK_PAGES, name, f"it cannot have {row.stored_pages} pages")
        check(row.extent.offset >= behind, name, "it does not lie behind the one before it")
        behind = row.extent.end
        rows.append(row)
    return rows


def read_entries(fields: Fields, count: int, superblock: Superblock) -> Iterator[Entry]:
    """The entries of a block or of the piece, in the order of their offsets."""
    behind = superblock.data_area.start
    for number in range(count):
        at, what = HEADER + number * ENTRY, f"{fields.what}, entry {number}"
        entry = Entry(fields.number(at, 8), fields.number(at + 8, 4), fields.number(at + 12, 4),
                      fields.number(at + 16, 8), fields.number(at + 24, 8))
        Extent(entry.offset, entry.size).check(superblock.data_area, CHUNK_LIMIT, what)
        check(entry.size % BLOCK == 0, what, "the chunk does not end at a block")
        check(entry.stored_pages <= CHUNK_PAGES, what, f"a chunk cannot have {entry.stored_pages} pages")
        check(entry.offset >= behind, what, "the chunk does not lie behind the one before it")
        behind = entry.offset + entry.size
        yield entry


def read_blocks(file: BinaryIO, superblock: Superblock) -> Iterator[Entry]:
    for number, row in enumerate(read_table(file, superblock)):
        what = f"index block {number}"
        fields = Fields(read_checked(file, row.extent, row.checksum, what), what)
        count = check_count(fields, b"IBLK", superblock.image_uuid)
        check(count == row.entries, what, f"it has {count} entries, but {row.entries} in the table")
        check(fields.number(32, 8) == number, what, f"it is number {fields.number(32, 8)}")
        entries = list(read_entries(fields, count, superblock))
        stored = sum(entry.stored_pages for entry in entries)
        check(stored == row.stored_pages, what, f"it has {stored} pages, but {row.stored_pages} in the table")
        yield from entries


def read_piece(file: BinaryIO, superblock: Superblock) -> Iterator[Entry]:
    what = "index"
    superblock.index.check(superblock.data_area, PIECE_LIMIT, what)
    fields = Fields(read_checked(file, superblock.index, superblock.number(184), what), what)
    yield from read_entries(fields, check_count(fields, b"INDX", superblock.image_uuid), superblock)


def read_index(file: BinaryIO, superblock: Superblock) -> Iterator[Entry]:
    """The entries of all chunks; behind the last one, their counts are compared with the superblock's."""
    chunks, stored, size, sequences = 0, 0, 0, set()
    for entry in (read_blocks if superblock.has_index_blocks else read_piece)(file, superblock):
        chunks, stored, size = chunks + 1, stored + entry.stored_pages, size + entry.size
        check(size <= len(superblock.data_area), "index", "its chunks are larger than the data area")
        check(entry.sequence not in sequences, "index", f"it has chunk {entry.sequence} twice")
        sequences.add(entry.sequence)
        yield entry
    counts = superblock.counts()
    check(chunks == counts["chunks"], "index", f"it has {chunks} chunks, but {counts['chunks']} in the superblock")
    check(stored == counts["storedPages"], "index",
          f"it has {stored} pages, but {counts['storedPages']} in the superblock")
