"""Writes span-block-v1.hex, the fixture of src/trace/block.rs, from the table in its documentation alone."""

import pathlib
import struct

from block import crc32c, varint

M = 2**64


def text(value: str) -> bytes:
    data = value.encode()
    return varint(len(data)) + data


def zigzag(n: int) -> int:
    n = (n + 2**63) % M - 2**63
    return ((n << 1) ^ (n >> 63)) % M


def items(parts: list[bytes]) -> bytes:
    return varint(len(parts)) + b"".join(parts)


def attributes(pairs: dict[str, str]) -> bytes:
    return items([text(key) + text(value) for key, value in pairs.items()])


def frame(data: bytes) -> bytes:
    """A Zstandard frame of one raw block: RFC 8878, sections 3.1.1.1 and 3.1.1.2."""
    assert 256 <= len(data) < 65536 + 256
    header = struct.pack("<IB", 0xFD2FB528, 0b0110_0000) + struct.pack("<H", len(data) - 256)
    return header + struct.pack("<I", len(data) << 3 | 1)[:3] + data


def outline(span: int, parent: int | None = None, usage: str = "", cost: str = "") -> bytes:
    flags = (parent is not None) | bool(usage) << 1 | bool(cost) << 2
    above = b"" if parent is None else bytes([parent] * 8)
    told = b"".join(text(amounts) for amounts in (usage, cost) if amounts)
    return bytes([flags]) + bytes([span] * 8) + above + told


def span(name, kind, status, message, start, end, pairs, events=(), links=()) -> bytes:
    length = 0 if end is None else 1 + zigzag(end - start)
    head = text(name) + bytes([kind, status]) + text(message) + varint(start) + varint(length)
    return head + attributes(pairs) + items(list(events)) + items(list(links))


USAGE = '{"input_tokens": 3, "output_tokens": 4}'
COST = '{"total_cost": 0.25}'
EVENT = text("exception") + varint(M - 1) + attributes({"n": "1.5"})
LINK = text("tr-" + "07" * 16) + bytes([9] * 8) + attributes({"a": "[null]"})

outlines = outline(1, usage=USAGE) + outline(2, 1, cost=COST) + outline(0, 2)
inputs = {"mlflow.spanInputs": '{"q": "é"}', "mlflow.chat.tokenUsage": USAGE}
body = span("span 1", 1, 1, "", 5_000_000, 6_000_000, inputs)
body += span("span 2", 3, 2, "no", 6_000_000, None, {"mlflow.llm.cost": COST}, [EVENT], [LINK])
body += span("span 0", 1, 1, "", M - 1, 0, {})

packed = frame(body)
block = b"SPNS\x01" + varint(3) + outlines + varint(len(body)) + varint(len(packed)) + packed
block += struct.pack("<I", crc32c(block))
(pathlib.Path(__file__).parent / "span-block-v1.hex").write_text(block.hex() + "\n")
