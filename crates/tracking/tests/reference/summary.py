"""Writes summary-v1.hex, the fixture of src/series/summary.rs, from the table in its documentation alone."""

import math
import pathlib
import struct

from block import column, crc32c, varint

LEVEL = 3
points = [
    (0, 1_357_017_300_000, 0.5),
    (1, 1_357_017_300_250, math.nan),
    (7, 1_357_017_300_500, -0.25),
    (8, 0, -math.inf),
    (-1, 0, math.inf),
    (15, 3, -0.0),
]
intervals = {}
for point in points:
    intervals.setdefault(point[0] >> LEVEL, []).append(point)
integers, floats = [], []
for number, inside in sorted(intervals.items()):
    inside.sort(key=lambda point: point[:2])
    values = [point[2] for point in inside]
    finite = [value for value in values if math.isfinite(value)]
    kinds = [sum(map(math.isnan, values)), values.count(math.inf), values.count(-math.inf)]
    integers.append([number, len(inside), *kinds, *inside[0][:2], *inside[-1][:2]])
    total = math.fsum(finite) / 2**64
    floats.append([min(finite, default=math.inf), max(finite, default=-math.inf), total, 0.0, values[0], values[-1]])

data = b"MSUM" + bytes([1]) + varint(LEVEL) + varint(len(intervals))
for values in zip(*integers):
    data += column(list(values))
for values in zip(*floats):
    data += struct.pack(f"<{len(values)}d", *values)
data += struct.pack("<I", crc32c(data))
(pathlib.Path(__file__).parent / "summary-v1.hex").write_text(data.hex() + "\n")
