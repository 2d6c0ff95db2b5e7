"""The signature of webhook.rs's test. Writes webhook.txt beside it."""

import hashlib
import hmac
import pathlib

seconds, body = "1700000000", b'{"a":1}'
digest = hmac.new(bytes([7] * 32), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
(pathlib.Path(__file__).parent / "webhook.txt").write_text(f"t={seconds},v1={digest}\n")
