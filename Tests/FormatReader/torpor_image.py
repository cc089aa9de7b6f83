#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A second reader of Torpor's image format, written from docs/image-format.md alone.

    torpor_image.py show FILE     the superblock, its counts and the description, as JSON
    torpor_image.py pages FILE    verifies the image, then prints a line of JSON for each run of pages, by physical address

FILE is a hibernation partition or a copy of one; it is only read. Exit status: 0 done, 1 refused, 2 wrong usage.
"""

import json
import os
import sys
from typing import BinaryIO, Optional

# Nothing is left beside the sources.
sys.dont_write_bytecode = True

import description  # noqa: E402
from boot_files import read_boot_files  # noqa: E402
from chunks import Run, read_chunk  # noqa: E402
from fields import PAGE, Refusal, check, checksum, read_checked  # noqa: E402
from index import read_index  # noqa: E402
from superblock import read_superblock  # noqa: E402


class Image:
    """A hibernation partition, and the image on it if there is one."""

    def __init__(self, file: BinaryIO):
        self.file = file
        self.superblock = read_superblock(file, file.seek(0, os.SEEK_END))

    def description(self) -> dict:
        extent, what = self.superblock.description, "description"
        extent.check(self.superblock.data_area, description.BYTE_LIMIT, what)
        return description.parse(read_checked(self.file, extent, self.superblock.number(160), what))

    def runs(self) -> list[tuple[Run, Optional[int]]]:
        """All runs, by physical address, with the checksum of each stored run's contents, after all was verified."""
        superblock, runs = self.superblock, []
        check(superblock.has_image, "image", f"there is no complete one (state {superblock.state})")
        about = self.description()
        for entry in read_index(self.file, superblock):
            chunk, offset = read_chunk(self.file, entry, superblock.image_uuid), 0
            for run in chunk.runs:
                if run.kind != "data":
                    runs.append((run, None))
                    continue
                runs.append((run, checksum(chunk.contents[offset:offset + run.pages * PAGE])))
                offset += run.pages * PAGE
        runs.sort(key=lambda item: item[0])
        self.check_pages([run for run, _ in runs], about)
        return runs

    def check_pages(self, runs: list[Run], about: dict) -> None:
        """Each page of kernel A's memory outside the backup ranges is there once, and the superblock's counts are right."""
        counts = self.superblock.counts()
        others = sum(run.pages for run in runs if run.kind != "data")
        free = sum(run.pages for run in runs if run.kind == "free")
        check(others == counts["otherPages"], "image",
              f"it has {others} pages that are not stored, but {counts['otherPages']} in the superblock")
        check(counts["freePages"] in (None, free), "image",
              f"it has {free} free pages, but {counts['freePages']} in the superblock")
        for one, other in zip(runs, runs[1:]):
            check(one.first_frame + one.pages <= other.first_frame, "image", f"page {other.first_frame:#x} is there twice")
        found = joined([[run.first_frame * PAGE, (run.first_frame + run.pages) * PAGE] for run in runs])
        expected = without(about.get("memoryRanges", []), about.get("backupRanges", []))
        # Images of tests may leave open which memory they are of.
        check(not expected or found == expected, "image", "its pages are not kernel A's memory outside the backup ranges")


def joined(ranges: list[list[int]]) -> list[list[int]]:
    """Ascending ranges, in which those that touch have become one."""
    result = []
    for first, end in ranges:
        if result and result[-1][1] == first:
            result[-1][1] = end
        else:
            result.append([first, end])
    return result


def without(ranges: list[list[int]], holes: list[list[int]]) -> list[list[int]]:
    """The parts of ascending ranges that no hole covers."""
    result = []
    for first, end in ranges:
        for hole, behind in holes:
            if first < behind and hole < end:
                result.append([first, max(first, hole)])
                first = min(end, behind)
        result.append([first, end])
    return joined([part for part in result if part[0] < part[1]])


def show(image: Image) -> None:
    superblock = image.superblock
    about = image.description() if superblock.has_image else None
    result = {"superblock": superblock.summary(), "counts": superblock.counts(), "description": about,
              "bootFiles": read_boot_files(image.file, superblock)}
    print(json.dumps(result, sort_keys=True, indent=2))


def pages(image: Image) -> None:
    for run, sum_of_contents in image.runs():
        line = {"firstFrame": run.first_frame, "pages": run.pages, "kind": run.kind}
        if sum_of_contents is not None:
            line["xxh64"] = f"{sum_of_contents:016x}"
        print(json.dumps(line, sort_keys=True))


COMMANDS = {"show": show, "pages": pages}


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or arguments[0] not in COMMANDS:
        print("usage: torpor_image.py show|pages FILE", file=sys.stderr)
        return 2
    name, path = arguments
    try:
        with open(path, "rb") as file:
            COMMANDS[name](Image(file))
    except Refusal as refusal:
        print(f"torpor_image: {path}: {refusal}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"torpor_image: {path}: {error.strerror}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
