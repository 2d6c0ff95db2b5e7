"""Writes formats 1 and 2 of a prediction and format 1 of a label by the description in record/wire.rs alone.

The output is checked in as ../fixtures/*.hex. Run: python3 records.py
"""

import pathlib
import struct
from datetime import datetime, timedelta, timezone

NULL, FALSE, TRUE = b"\x00", b"\x01", b"\x02"


def unsigned(n):
    out = b""
    while n >= 0x80:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def signed(n):
    return unsigned(2 * n if n >= 0 else -2 * n - 1)


def text(s):
    return unsigned(len(s.encode())) + s.encode()


def floating(x):
    return struct.pack("<d", x)


def listed(*items):
    return unsigned(len(items)) + b"".join(items)


def micros(*civil, micro=0):
    since = datetime(*civil, tzinfo=timezone.utc) - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return since // timedelta(microseconds=1) + micro


ident = b"0123456789abcdef"
at = micros(2013, 3, 4, 5, 6, 7, micro=8)


def prediction(form):
    """Format 2 says of each read whether it was beyond what had been materialised; format 1 says nothing."""
    within, beyond = (b"", b"") if form == 1 else (b"\x00", b"\x01")
    return b"".join([
        bytes([form]), ident, text("flight-delay"), unsigned(300), signed(at), signed(1_800_000_000_000_001),
        listed(text("N14228")),
        listed(text("origin") + b"\x05" + text("EWR")),
        listed(NULL, TRUE, b"\x03" + signed(-1400), b"\x04" + floating(0.1), b"\x05" + text("UA")),
        listed(
            text("origin_delays") + listed(signed(90_000_000) + signed(60_000_000)) + within,
            text("weather") + listed() + beyond,
        ),
        listed(
            unsigned(7) + b"\x00" + unsigned(12) + b"\x00" + listed(floating(0.25), floating(0.75)),
            unsigned(8) + b"\x02" + unsigned(90_000) + b"\x01",
        ),
        b"\x01", listed(b"\x00"), listed(unsigned(3) + b"\x03"),
    ])


label = b"".join([b"\x01", ident, unsigned(2), b"\x01", text("late"), signed(at), signed(-5)])

fixtures = pathlib.Path(__file__).parent.parent / "fixtures"
for form in (1, 2):
    (fixtures / f"prediction-v{form}.hex").write_text(prediction(form).hex() + "\n")
(fixtures / "label-v1.hex").write_text(label.hex() + "\n")
