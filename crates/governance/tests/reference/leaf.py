"""The leaf of audit::entry's test, from the documented encoding alone. Writes leaf.txt beside it."""

import hashlib
import pathlib
import struct


def field(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


body = hashlib.sha256(bytes([3] * 16) + b'{"alias":"champion"}').digest()
fields = [
    b"mainstay.event.1",
    struct.pack("<Q", 7),
    struct.pack("<q", 1_357_017_300_000_000),
    b"alias.moved",
    b"user:alice",
    b"default",
    b"model:flight-delay",
    body,
]
leaf = hashlib.sha256(b"\x00" + b"".join(field(f) for f in fields)).hexdigest()
(pathlib.Path(__file__).parent / "leaf.txt").write_text(leaf + "\n")
