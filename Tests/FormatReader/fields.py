# SPDX-License-Identifier: Apache-2.0
"""Numbers, texts and extents of a hibernation partition.

Nothing that is read is trusted: each number is compared with its bounds before it is used.
"""

import uuid
from typing import BinaryIO, NamedTuple, NoReturn

import xxhash

BLOCK = 4096
PAGE = 4096
MIB = 1 << 20

# A physical address of x86_64 has at most 52 bits.
FRAME_LIMIT = 1 << (52 - 12)


class Refusal(Exception):
    """Why a partition or an image is not read, in one sentence."""


def refuse(what: str, why: str) -> NoReturn:
    raise Refusal(f"{what}: {why}")


def check(condition: bool, what: str, why: str) -> None:
    if not condition:
        refuse(what, why)


def checksum(data: bytes) -> int:
    return xxhash.xxh64_intdigest(data, seed=0)


def round_up(value: int, unit: int) -> int:
    return (value + unit - 1) // unit * unit


def text(data: bytes) -> str:
    """Bytes that are no UTF-8 are shown as \\xff."""
    return data.decode("utf-8", errors="backslashreplace")


class Fields:
    """The bytes of one structure; `what` names it in a refusal."""

    def __init__(self, data: bytes, what: str):
        self.data = data
        self.what = what

    def bytes(self, offset: int, size: int) -> bytes:
        check(size <= len(self.data) - offset, self.what, f"it ends before its byte {offset + size}")
        return self.data[offset:offset + size]

    def number(self, offset: int, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.bytes(offset, size), "little", signed=signed)

    def uuid(self, offset: int) -> str:
        return str(uuid.UUID(bytes=self.bytes(offset, 16)))

    def padded_text(self, offset: int, size: int) -> str:
        return text(self.bytes(offset, size).split(b"\0", 1)[0])

    def has_magic(self, magic: bytes) -> bool:
        return self.data.startswith(magic)


class Cursor:
    """Fields that follow one another."""

    def __init__(self, data: bytes, what: str):
        self.fields = Fields(data, what)
        self.offset = 0

    @property
    def is_at_end(self) -> bool:
        return self.offset == len(self.fields.data)

    def bytes(self, size: int) -> bytes:
        value = self.fields.bytes(self.offset, size)
        self.offset += size
        return value

    def number(self, size: int) -> int:
        return int.from_bytes(self.bytes(size), "little")

    def sized_text(self) -> str:
        return text(self.bytes(self.number(4)))


class Extent(NamedTuple):
    """Where a structure lies on the partition; its size is without the padding."""

    offset: int
    size: int

    @property
    def end(self) -> int:
        """The first byte behind the padding."""
        return round_up(self.offset + self.size, BLOCK)

    def check(self, area: range, limit: int, what: str) -> None:
        """Refuses an extent that is empty, too large, not at a block or not within the data area."""
        check(0 < self.size <= limit, what, f"its size, {self.size}, is not between 1 and {limit}")
        check(self.offset % BLOCK == 0, what, "it does not begin at a block")
        check(area.start <= self.offset and self.end <= area.stop, what, "it does not lie within the data area")


def read_exactly(file: BinaryIO, extent: Extent, what: str) -> bytes:
    file.seek(extent.offset)
    data = file.read(extent.size)
    check(len(data) == extent.size, what, "the partition ends before it does")
    return data


def read_checked(file: BinaryIO, extent: Extent, expected: int, what: str) -> bytes:
    """The bytes of an extent that has this checksum, and zeros behind it up to the next block."""
    data = read_exactly(file, Extent(extent.offset, extent.end - extent.offset), what)
    check(not any(data[extent.size:]), what, "its padding is not zero")
    check(checksum(data[:extent.size]) == expected, what, "its checksum is wrong")
    return data[:extent.size]
