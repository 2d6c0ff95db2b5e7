"""What the sealing of secrets must give, by another implementation: writes sealing.txt beside this file."""

import pathlib

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

KEK = bytes(range(32))
DATA_KEY = bytes(range(100, 132))
BOUND_TO = b"s-reference"


def sealed(key, nonce, plaintext, what):
    return nonce + AESGCM(key).encrypt(nonce, plaintext, b"mainstay gateway " + what + b"\0" + BOUND_TO)


lines = [
    KEK,
    sealed(KEK, bytes(12), DATA_KEY, b"key"),
    sealed(DATA_KEY, bytes([9] * 12), b'{"api_key":"sk-reference"}', b"value"),
    Argon2id(
        salt=b"mainstay gateway key encryption key, 1", length=32, iterations=3, lanes=4, memory_cost=64 << 10
    ).derive(b"a passphrase of the reference"),
]
text = "".join(line.hex() + "\n" for line in lines)
pathlib.Path(__file__).with_suffix(".txt").write_text(text)
