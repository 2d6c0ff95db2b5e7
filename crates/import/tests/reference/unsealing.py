"""What a stock server's seals open to, made by the libraries that it uses: writes unsealing.txt beside this file."""

import json
import pathlib

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

DATA_KEY = bytes(range(100, 132))
FERNET_KEY = b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="


def kek(passphrase, version):
    salt = b"mlflow-secrets-kek-v1-2025" + version.to_bytes(4, "big")
    return PBKDF2HMAC(algorithm=hashes.SHA256(), length=32, salt=salt, iterations=600_000).derive(passphrase)


def sealed(key, nonce, plaintext, bound_to=None):
    return nonce + AESGCM(key).encrypt(nonce, plaintext, bound_to)


lines = [
    sealed(kek(b"a passphrase of the reference", 2), bytes(12), DATA_KEY),
    sealed(DATA_KEY, bytes([9] * 12), json.dumps({"api_key": "sk-réference"}).encode(), "s-1|a näme".encode()),
    Fernet(FERNET_KEY)._encrypt_from_parts("schlüssel".encode(), 1_700_000_000, bytes(range(16))),
]
text = "".join(line.hex() + "\n" for line in lines)
pathlib.Path(__file__).with_suffix(".txt").write_text(text)
