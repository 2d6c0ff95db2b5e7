"""A stock MLflow server: the one of the installed package, as anybody starts it."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


#: What a stock server seals secrets with: those of its gateway, and those of webhooks.
KEYS = {
    "MLFLOW_CRYPTO_KEK_PASSPHRASE": "a passphrase of the stock server, long enough",
    "MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
}


class Stock:
    """`mlflow server` on a database and a directory for artifacts."""

    def __init__(self, database, artifacts, log):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
            "--backend-store-uri", database, "--artifacts-destination", str(artifacts),
            "--default-artifact-root", "mlflow-artifacts:/", "--allowed-hosts", "*",
        ]
        environment = dict(os.environ, MLFLOW_DISABLE_TELEMETRY="true", MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false")
        environment |= KEYS
        with open(log, "w") as out:
            self.process = subprocess.Popen(
                command, stdout=out, stderr=out, env=environment, start_new_session=True, cwd=artifacts.parent
            )
        deadline = time.monotonic() + 180
        while True:
            try:
                with urllib.request.urlopen(self.url + "/health"):
                    return
            except OSError:
                assert self.process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.1)

    def stop(self):
        os.killpg(self.process.pid, signal.SIGTERM)
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
