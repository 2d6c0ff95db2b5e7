"""Writes block-v1.hex and block-v2.hex, the fixtures of src/block.rs, from the table in its documentation alone."""

import math
import pathlib
import struct


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def varint(n: int) -> bytes:
    out = bytearray()
    while True:
        out.append((n & 0x7F) | (0x80 if n > 0x7F else 0))
        n >>= 7
        if not n:
            return bytes(out)


def column(values: list[int]) -> bytes:
    out, last = b"", 0
    for value in values:
        delta = (value - last + 2**63) % 2**64 - 2**63
        out += varint(((delta << 1) ^ (delta >> 63)) % 2**64)
        last = value
    return out


low, high = -(2**63), 2**63 - 1
points = [
    (0, 1_357_017_300_000, 0.5),
    (1, 1_357_017_300_250, math.nan),
    (-7, 0, -math.inf),
    (high, low, float.fromhex("0x1.fffffffffffffp+1023")),
    (low, high, -0.0),
]


def block(version: int, lengths: bytes) -> bytes:
    body = b"MPTS" + bytes([version]) + varint(len(points)) + lengths
    body += column([p[0] for p in points]) + column([p[1] for p in points])
    body += b"".join(struct.pack("<d", p[2]) for p in points)
    return body + struct.pack("<I", crc32c(body))


def write(name: str, data: bytes) -> None:
    (pathlib.Path(__file__).parent / name).write_text(data.hex() + "\n")


if __name__ == "__main__":
    write("block-v1.hex", block(1, b""))
    pairs = [(1, 2), (3, 1)]
    write("block-v2.hex", block(2, varint(len(pairs)) + b"".join(varint(n) + varint(times) for n, times in pairs)))
