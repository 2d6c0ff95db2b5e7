"""Databases that do not answer for a while."""

import contextlib
import os
import shlex
import signal
import sqlite3
import subprocess
from pathlib import Path

import psycopg


@contextlib.contextmanager
def locked(data: Path):
    """Another connection holds SQLite's lock."""
    other = sqlite3.connect(data / "mainstay.db", timeout=30, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


class Postgres:
    """The processes of the PostgreSQL server at an address on this machine."""

    def __init__(self, address: str):
        with psycopg.connect(address, autocommit=True) as admin:
            self.data = Path(admin.execute("SHOW data_directory").fetchone()[0])
        self.options = shlex.split((self.data / "postmaster.opts").read_text())

    def processes(self):
        """The postmaster, then what it has started."""
        postmaster = int((self.data / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        return [postmaster, *map(int, children)]

    @contextlib.contextmanager
    def frozen(self):
        """All of them are stopped in the middle of what they do."""
        stopped = []
        try:
            for process in self.processes():
                os.kill(process, signal.SIGSTOP)
                stopped.append(process)
            yield
        finally:
            for process in reversed(stopped):
                os.kill(process, signal.SIGCONT)

    @contextlib.contextmanager
    def away(self):
        """It is shut down, and started again."""
        self.control("stop", "-m", "fast")
        try:
            yield
        finally:
            program, *options = self.options
            at = options.index("-D")
            del options[at : at + 2]
            self.control("start", "-l", str(self.data.parent / "server.log"), "-o", shlex.join(options))

    def control(self, *command):
        program = Path(self.options[0]).with_name("pg_ctl")
        # It refuses to run as root.
        owner = self.data.stat()
        account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.getuid() == 0 else {}
        command = [program, "-D", self.data, "-w", "-t", "60", *command]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.data, timeout=90, **account)
