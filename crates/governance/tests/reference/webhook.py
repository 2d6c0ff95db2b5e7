"""The signatures of the tests of webhook.rs and webhook/mlflow.rs. Writes webhook.txt and webhook_mlflow.txt beside it."""

import base64
import hashlib
import hmac
import pathlib

here = pathlib.Path(__file__).parent

seconds, body = "1700000000", b'{"a":1}'
digest = hmac.new(bytes([7] * 32), seconds.encode() + b"." + body, hashlib.sha256).hexdigest()
(here / "webhook.txt").write_text(f"t={seconds},v1={digest}\n")

delivery, body = "0d6f6a2e-5f9b-4d9a-8a53-1b1f0a9d2c77", '{"data":{"name":"é"}}'
signed = f"{delivery}.{seconds}.{body}".encode()
digest = hmac.new("schlüssel".encode(), signed, hashlib.sha256).digest()
(here / "webhook_mlflow.txt").write_text(f"v1,{base64.b64encode(digest).decode()}\n")
