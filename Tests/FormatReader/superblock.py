# SPDX-License-Identifier: Apache-2.0
"""The superblock in its two slots, and which of them counts."""

from dataclasses import dataclass
from typing import BinaryIO, Optional

from fields import BLOCK, MIB, Extent, Fields, check, checksum, refuse

MAGIC = b"TorporHP"
SLOT_OFFSETS = (0, 64 << 10)
DATA_START = MIB
VERSIONS = (1, 2)

STATES = ("empty", "saving", "ready", "attempted", "consumed", "failed", "snapshot")
COMPLETE_STATES = ("ready", "attempted", "consumed", "snapshot")
INDEX_BLOCKS = 1 << 0
KNOWN_FEATURES = INDEX_BLOCKS
CODECS = ("none", "zstd", "xz", "lz4")
LEVELS = {"none": range(1), "zstd": range(-100, 20), "xz": range(10), "lz4": range(1)}


@dataclass
class Superblock:
    """A slot whose checksum is right and whose version and features are known."""

    slot: int
    fields: Fields

    def number(self, offset: int, size: int = 8) -> int:
        return self.fields.number(offset, size)

    def extent(self, offset: int) -> Extent:
        return Extent(self.number(offset), self.number(offset + 8))

    @property
    def version(self) -> int:
        return self.number(8, 4)

    @property
    def generation(self) -> int:
        return self.number(16)

    @property
    def byte_count(self) -> int:
        """The partition's size when it was formatted."""
        return self.number(104)

    @property
    def state(self) -> str:
        return STATES[self.number(112, 4)]

    @property
    def image_uuid(self) -> str:
        return self.fields.uuid(120)

    @property
    def description(self) -> Extent:
        return self.extent(144)

    @property
    def index(self) -> Extent:
        return self.extent(168)

    @property
    def codec(self) -> str:
        return CODECS[self.number(232, 4)]

    @property
    def level(self) -> int:
        return self.fields.number(236, 4, signed=True)

    @property
    def features(self) -> int:
        """Version 1 has no features, whatever byte 240 holds."""
        return self.number(240) if self.version > 1 else 0

    @property
    def has_index_blocks(self) -> bool:
        return self.features & INDEX_BLOCKS != 0

    @property
    def free_pages(self) -> Optional[int]:
        """Version 1 counts zeros and free pages together."""
        return self.number(512) if self.version > 1 else None

    @property
    def has_image(self) -> bool:
        """Whether there is a complete image whose contents were not erased."""
        return self.state in COMPLETE_STATES and not self.is_erased

    @property
    def is_erased(self) -> bool:
        return self.state == "consumed" and self.description == self.index == Extent(0, 0)

    @property
    def data_area(self) -> range:
        """Version 2 leaves the last MiB alone."""
        end = self.byte_count - (MIB if self.version > 1 else 0)
        start = DATA_START + self.boot_area_size
        return range(start, max(start, end // BLOCK * BLOCK))

    @property
    def boot_area_size(self) -> int:
        """Bytes for both slots of boot files."""
        return self.number(528) if self.version > 1 else 0

    @property
    def boot_files(self) -> Extent:
        """The header of the boot files that count."""
        return self.extent(536) if self.version > 1 else Extent(0, 0)

    @property
    def has_known_values(self) -> bool:
        """Whether state, codec and level are ones that the document lists."""
        return (self.number(112, 4) < len(STATES) and self.number(232, 4) < len(CODECS)
                and self.level in LEVELS[self.codec]
                and self.boot_area_size % 8192 == 0
                and self.boot_area_size <= max(0, self.byte_count - DATA_START))

    def summary(self) -> dict:
        return {
            "slot": self.slot, "version": self.version, "generation": self.generation, "uuid": self.fields.uuid(24),
            "label": self.fields.padded_text(40, 64), "byteCount": self.byte_count, "state": self.state,
            "imageUUID": self.image_uuid, "time": self.number(136), "codec": self.codec, "level": self.level,
            "features": self.features, "refusals": self.number(248, 4), "isGivenUp": self.number(252, 4) & 1 != 0,
            "reason": self.fields.padded_text(256, 256), "contentsEnd": self.number(520),
            "description": self.description._asdict(), "index": self.index._asdict(),
        }

    def counts(self) -> dict:
        return {
            "chunks": self.number(192), "storedPages": self.number(200), "otherPages": self.number(208),
            "freePages": self.free_pages, "imageEnd": self.number(216), "milliseconds": self.number(224),
        }


def read_slot(file: BinaryIO, slot: int) -> Optional[Superblock]:
    """None if the slot is not valid; a refusal if it is sound, but of an unknown version or with unknown features."""
    file.seek(SLOT_OFFSETS[slot])
    fields = Fields(file.read(BLOCK), "superblock")
    if len(fields.data) != BLOCK or not fields.has_magic(MAGIC):
        return None
    if fields.number(4088, 8) != checksum(fields.bytes(0, 4088)):
        return None
    superblock = Superblock(slot, fields)
    check(superblock.version in VERSIONS, "superblock", f"slot {slot} has the unknown version {superblock.version}")
    unknown = superblock.features & ~KNOWN_FEATURES
    check(unknown == 0, "superblock", f"slot {slot} has unknown features (mask {unknown:#x})")
    return superblock if superblock.has_known_values else None


def read_superblock(file: BinaryIO, file_size: int) -> Superblock:
    """The superblock that counts."""
    file.seek(0)
    check(file.read(len(MAGIC)) == MAGIC, "superblock", "slot 0 has no magic, so this is no hibernation partition")
    slots = [slot for slot in (read_slot(file, 0), read_slot(file, 1)) if slot is not None]
    if not slots:
        refuse("superblock", "both slots are damaged")
    # Of equal generations, the first one.
    superblock = max(slots, key=lambda slot: slot.generation)
    check(superblock.byte_count <= file_size, "superblock", "the partition is smaller than when it was formatted")
    check(superblock.number(116, 4) == 0, "superblock", f"its cipher {superblock.number(116, 4)} is unknown")
    return superblock
