# SPDX-License-Identifier: Apache-2.0
"""Chunks: a header with runs of pages, and a payload that a codec has made smaller."""

import lzma
from typing import BinaryIO, NamedTuple

import lz4.block
import zstandard

from fields import BLOCK, FRAME_LIMIT, MIB, PAGE, Extent, Fields, check, checksum, read_exactly, refuse, round_up
from index import Entry

HEADER = 128
RUN = 16
RUN_LIMIT = 496
PAYLOAD_LIMIT = 1 * MIB
KINDS = {1: "data", 2: "zero", 3: "free"}
XZ_MEMORY = 4 * MIB


class Run(NamedTuple):
    first_frame: int
    pages: int
    kind: str


class Chunk(NamedTuple):
    """The runs of a chunk, and the contents of those of kind data one behind the other."""

    runs: list[Run]
    contents: bytes


def decode_none(payload: bytes, _: int) -> bytes:
    return payload


def decode_zstd(payload: bytes, size: int) -> bytes:
    """One frame and nothing behind it."""
    frame = zstandard.get_frame_parameters(payload)
    if frame.content_size not in (size, zstandard.CONTENTSIZE_UNKNOWN):
        raise ValueError(f"its frame has {frame.content_size} bytes")
    return zstandard.ZstdDecompressor().decompress(payload, max_output_size=size, allow_extra_data=False)


def decode_xz(payload: bytes, size: int) -> bytes:
    """One stream and nothing behind it."""
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)
    data = decoder.decompress(payload, max_length=size + 1)
    if not decoder.eof or decoder.unused_data:
        raise ValueError("it is not one whole stream")
    return data


def decode_lz4(payload: bytes, size: int) -> bytes:
    """One block, with neither a frame around it nor its size before it."""
    return lz4.block.decompress(payload, uncompressed_size=size)


DECODERS = {0: decode_none, 1: decode_zstd, 2: decode_xz, 3: decode_lz4}


def decode(codec: int, payload: bytes, size: int, what: str) -> bytes:
    try:
        data = DECODERS[codec](payload, size)
    except (ValueError, EOFError, MemoryError, zstandard.ZstdError, lzma.LZMAError, lz4.block.LZ4BlockError) as error:
        refuse(what, f"its payload does not decode ({error})")
    check(len(data) == size, what, f"its payload becomes {len(data)} bytes instead of {size}")
    return data


def check_header(data: bytes, entry: Entry, image_uuid: str, what: str) -> Fields:
    """The header with its runs: its checksum is right, and it is the one that the index names."""
    fields = Fields(data, what)
    check(fields.has_magic(b"CHNK"), what, "its magic is missing")
    size, runs = fields.number(4, 4), fields.number(36, 4)
    check(runs <= RUN_LIMIT and size == HEADER + runs * RUN, what, "its header has a wrong size")
    header = Fields(fields.bytes(0, size), what)
    own = header.number(112, 8)
    check(checksum(data[:112] + bytes(8) + data[120:size]) == own, what, "the checksum of its header is wrong")
    check(own == entry.header_checksum, what, "its header is not the one that the index names")
    check(header.uuid(8) == image_uuid, what, "it belongs to another image")
    check(header.number(24, 8) == entry.sequence, what, "its sequence number is not the one in the index")
    check(header.number(40, 4) == entry.stored_pages, what, "it has another number of pages than in the index")
    return header


def read_runs(header: Fields, entry: Entry) -> list[Run]:
    runs, what = [], header.what
    for at in range(HEADER, len(header.data), RUN):
        first, pages, kind = header.number(at, 8), header.number(at + 8, 4), header.number(at + 12, 4)
        check(kind in KINDS, what, f"a run is of the unknown kind {kind}")
        check(0 < pages and first + pages <= FRAME_LIMIT, what, "a run is empty or lies beyond physical memory")
        runs.append(Run(first, pages, KINDS[kind]))
    stored = sum(run.pages for run in runs if run.kind == "data")
    others = sum(run.pages for run in runs if run.kind != "data")
    check(stored == entry.stored_pages, what, "its runs have another number of stored pages than its header says")
    check(others == header.number(56, 8), what, "its runs have another number of other pages than its header says")
    return runs


def read_payload(data: bytes, header: Fields, codec: int) -> bytes:
    """The payload: its checksum is right, and there are zeros before and behind it."""
    what, begin, size = header.what, header.number(44, 4), header.number(48, 4)
    check(begin % (BLOCK if codec == 0 else 64) == 0, what, "its payload is not aligned")
    check(len(header.data) <= begin and size <= PAYLOAD_LIMIT, what, "its payload has a wrong offset or size")
    check(round_up(begin + size, BLOCK) == len(data), what, "its payload does not end in its last block")
    check(not any(data[len(header.data):begin]), what, "the padding behind its header is not zero")
    check(not any(data[begin + size:]), what, "the padding behind its payload is not zero")
    payload = data[begin:begin + size]
    check(checksum(payload) == header.number(64, 8), what, "the checksum of its payload is wrong")
    return payload


def read_chunk(file: BinaryIO, entry: Entry, image_uuid: str) -> Chunk:
    what = f"chunk {entry.sequence} at byte {entry.offset}"
    data = read_exactly(file, Extent(entry.offset, entry.size), what)
    header = check_header(data, entry, image_uuid, what)
    codec = header.number(32, 4)
    check(codec in DECODERS, what, f"its codec {codec} is unknown")
    runs, payload = read_runs(header, entry), read_payload(data, header, codec)
    # Without stored pages there is nothing to decode.
    return Chunk(runs, decode(codec, payload, entry.stored_pages * PAGE, what) if entry.stored_pages else b"")
