"""Writes header, one frame and footer of format 1 by the table in src/log/mod.rs alone.

The output is checked in as ../fixtures/segment-v1.hex. Run: python3 segment.py
"""

import hashlib
import pathlib
import struct


def crc32c(data):
    """CRC-32C (Castagnoli), reflected, bit by bit: RFC 3720, appendix B.4."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


assert crc32c(b"123456789") == 0xE3069283

header = b"mainseg\0" + struct.pack("<I", 1) + bytes([9] * 16) + struct.pack("<Q", 3)
header += struct.pack("<I", crc32c(header))

payload, at = b"payload", -2
length, time = struct.pack("<I", len(payload)), struct.pack("<q", at)
frame = length + struct.pack("<I", crc32c(length + time + payload)) + time + payload

content = header + frame
body = struct.pack("<QQqq", 1, len(content), at, at) + hashlib.sha256(content).digest()
footer = b"\xff\xff\xff\xff" + struct.pack("<I", crc32c(body)) + body

lines = [header.hex(), frame.hex(), footer.hex()]
out = pathlib.Path(__file__).parent.parent / "fixtures" / "segment-v1.hex"
out.write_text("\n".join(lines) + "\n")
