# SPDX-License-Identifier: Apache-2.0
"""The description of an image: tagged fields about the session and the machine."""

import uuid

from fields import FRAME_LIMIT, MIB, PAGE, Cursor, check, refuse, text

MAGIC = b"TorporID"
BYTE_LIMIT = 16 * MIB
MANDATORY = 1 << 31

RANGE_LIMIT = 4095
REPEAT_LIMIT = 1024
AREA_BYTE_LIMIT = 8 * MIB
EXTENT_LIMIT = 1 << 15
EXTENTS_BYTE_LIMIT = 4 << 30


def sized(data: bytes, size: int, what: str) -> bytes:
    check(len(data) == size, what, f"it has {len(data)} bytes instead of {size}")
    return data


def number(data: bytes, what: str) -> int:
    return int.from_bytes(sized(data, 8, what), "little")


def truth(data: bytes, what: str) -> bool:
    value = number(data, what)
    check(value <= 1, what, f"{value} is neither 0 nor 1")
    return value == 1


def identifier(data: bytes, what: str) -> str:
    return str(uuid.UUID(bytes=sized(data, 16, what)))


def string(data: bytes, _: str) -> str:
    return text(data)


def numbers(data: bytes, what: str) -> list[int]:
    check(len(data) % 8 == 0, what, f"its {len(data)} bytes are not a multiple of 8")
    return [int.from_bytes(data[offset:offset + 8], "little") for offset in range(0, len(data), 8)]


def page_ranges(data: bytes, what: str) -> list[list[int]]:
    """Pairs of addresses, half-open, ascending, of whole pages."""
    flat = numbers(data, what)
    check(len(flat) % 2 == 0, what, "a range has no end")
    check(len(flat) // 2 <= RANGE_LIMIT, what, f"it has more than {RANGE_LIMIT} ranges")
    ranges = [list(pair) for pair in zip(flat[::2], flat[1::2])]
    behind = 0
    for first, end in ranges:
        check(behind <= first < end <= FRAME_LIMIT * PAGE, what, "a range is empty, too high or not behind the last one")
        check(first % PAGE == 0 and end % PAGE == 0, what, "a range is not of whole pages")
        behind = end
    return ranges


def frames(data: bytes, what: str) -> list[int]:
    values = numbers(data, what)
    check(all(frame < FRAME_LIMIT for frame in values), what, "a page lies beyond physical memory")
    return values


def firmware_map(data: bytes, what: str) -> list[dict]:
    cursor, entries = Cursor(data, what), []
    while not cursor.is_at_end:
        first, end = cursor.number(8), cursor.number(8)
        check(first <= end, what, "a range ends before it begins")
        entries.append({"first": first, "end": end, "type": cursor.sized_text()})
    return entries


def report_key(data: bytes, what: str) -> str:
    """Empty if there is no page for a report."""
    return sized(data, 32, what).hex() if data else ""


def partition(data: bytes, what: str) -> dict:
    sized(data, 24, what)
    return {"uuid": identifier(data[:16], what), "generation": number(data[16:], what)}


def watched_area(data: bytes, what: str) -> dict:
    """Tag 16."""
    cursor = Cursor(data, what)
    area = {"deviceByteCount": cursor.number(8), "first": cursor.number(8), "end": cursor.number(8),
            "checksum": cursor.number(8), "user": cursor.sized_text(), "device": cursor.sized_text()}
    check(cursor.is_at_end, what, "it is longer than its fields")
    check(area["first"] <= area["end"] <= area["deviceByteCount"], what, "it does not lie in its device")
    check(area["end"] - area["first"] <= AREA_BYTE_LIMIT, what, "it is larger than 8 MiB")
    return area


def watched_device(data: bytes, what: str) -> dict:
    """Tag 21."""
    cursor = Cursor(data, what)
    device = {"deviceByteCount": cursor.number(8), "walk": cursor.number(4), "user": cursor.sized_text(),
              "identity": cursor.sized_text(), "fingerprints": [], "extents": []}
    check(device["walk"] <= 1, what, f"its walk {device['walk']} is unknown")
    for _ in range(cursor.number(4)):
        device["fingerprints"].append({"deviceByteCount": cursor.number(8), "checksum": cursor.number(8)})
    behind, size, count = 0, 0, cursor.number(4)
    check(count <= EXTENT_LIMIT, what, f"it has more than {EXTENT_LIMIT} extents")
    for _ in range(count):
        first, end = cursor.number(8), cursor.number(8)
        check(behind <= first < end <= device["deviceByteCount"], what, "an extent is empty, out of order or outside")
        behind, size = end, size + end - first
        device["extents"].append([first, end])
    check(size <= EXTENTS_BYTE_LIMIT, what, "its extents are larger than 4 GiB")
    check(cursor.is_at_end, what, "it is longer than its fields")
    return device


# For each tag, the name of the field here, and what reads its value.
TAGS = {
    1: ("session", identifier), 2: ("host", string), 3: ("kernelRelease", string), 4: ("jumpBackEntry", number),
    5: ("hasFiveLevelPaging", truth), 6: ("processorCount", number), 7: ("backupRanges", page_ranges),
    8: ("memoryRanges", page_ranges), 9: ("firmwareMap", firmware_map), 10: ("backupSources", frames),
    11: ("vmcoreInfo", string), 12: ("reportAddress", number), 13: ("reportKey", report_key),
    14: ("processorFeatures", numbers), 15: ("acpiChecksum", number), 16: ("watchedAreas", watched_area),
    17: ("partition", partition), 18: ("writer", string), 19: ("pluggedRanges", page_ranges),
    20: ("microcodeRevision", number), 21: ("watchedDevices", watched_device),
}
# Tags that are there once for each thing that they describe.
REPEATED = (16, 21)


def parse(data: bytes) -> dict:
    """The fields that are there, by name; those of REPEATED as lists."""
    check(data.startswith(MAGIC), "description", "its magic is missing")
    cursor, description = Cursor(data[len(MAGIC):], "description"), {}
    while not cursor.is_at_end:
        tag, size = cursor.number(4), cursor.number(4)
        value, known = cursor.bytes(size), tag & ~MANDATORY
        if known not in TAGS:
            if tag & MANDATORY:
                refuse("description", f"its field {known} is unknown, and a reader has to know it")
            continue
        name, reader = TAGS[known]
        field = reader(value, f"description, {name}")
        if known in REPEATED:
            fields = description.setdefault(name, [])
            fields.append(field)
            check(len(fields) <= REPEAT_LIMIT, "description", f"it has more than {REPEAT_LIMIT} {name}")
        else:
            check(name not in description, "description", f"{name} is there twice")
            description[name] = field
    check_sources(description)
    return description


def check_sources(description: dict) -> None:
    """The backup page map, if there is one, has one page of the image for each page of the backup ranges."""
    pages = sum((end - first) // PAGE for first, end in description.get("backupRanges", []))
    sources = len(description.get("backupSources", []))
    check(sources in (0, pages), "description", f"its backup page map has {sources} pages, its backup ranges {pages}")
