"""The terminals in which a page is done: one that waits for each block, and one beside it."""

import errno
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import tty
from pathlib import Path
from urllib.parse import urlsplit

from pages import Block, Page, misses

BINARY = os.environ.get("MAINSTAY") or str(Path(__file__).parents[2] / "target/release/mainstay")
SECONDS = 90
"""How long a block may take."""
ADDRESS = re.compile(r"(127\.0\.0\.1(?::|\", ))(\d+)")
POSTGRES = "5432"


class Wrong(AssertionError):
    """A block cannot be done, so the page ends there."""


class Ports:
    """Free ports for those that a page names, each always the same."""

    def __init__(self):
        self.free = {}

    def of(self, named: str) -> str:
        if named == POSTGRES:
            return str(urlsplit(os.environ["MAINSTAY_TEST_POSTGRES"]).port)
        if named not in self.free:
            with socket.socket() as tried:
                tried.bind(("127.0.0.1", 0))
                self.free[named] = str(tried.getsockname()[1])
        return self.free[named]

    def put_into(self, text: str) -> str:
        return ADDRESS.sub(lambda match: match[1] + self.of(match[2]), text)


class Listener:
    """A process that prints to a terminal, as it does for a reader, and what it has printed so far."""

    def __init__(self, command: list[str], folder: Path, environment: dict, stdin):
        screen, terminal = pty.openpty()
        tty.setraw(terminal)
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=stdin, stdout=terminal, stderr=terminal, text=True,
            start_new_session=True,
            # A shell that runs the tests in its background has Ctrl-C ignored, also by what they start.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        os.close(terminal)
        self.printed = ""
        self.news = threading.Condition()
        threading.Thread(target=self._listen, args=(screen,), daemon=True).start()

    def _listen(self, screen: int):
        with open(screen, encoding="utf-8", newline="\n") as lines:
            try:
                for line in lines:
                    with self.news:
                        self.printed += line
                        self.news.notify_all()
            except OSError as error:
                # So Linux says that nobody has the terminal open any more.
                assert error.errno == errno.EIO, error

    def wait(self, condition, what: str):
        """Waits until `condition` holds of what was printed."""
        deadline = time.monotonic() + SECONDS
        with self.news:
            while not condition(self.printed):
                left = deadline - time.monotonic()
                if left < 0 or self.process.poll() is not None:
                    raise Wrong(f"{what}; printed was:\n{self.printed}")
                self.news.wait(min(left, 0.2))

    def end(self, how=signal.SIGKILL):
        """Ends the process and what it has started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, how)
        return self.process.wait(SECONDS)


class Reader:
    """Does what pages say, in a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.ports = Ports()
        self.beside = []
        self.blocks = 0
        self.faults = []
        """What was printed otherwise than a page shows."""
        programs = folder.parent / "bin"
        programs.mkdir(exist_ok=True)
        if not (programs / "mainstay").exists():
            (programs / "mainstay").symlink_to(BINARY)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAINSTAY", "MLFLOW"))}
        path = [str(programs), str(Path(sys.executable).parent), kept["PATH"]]
        told = {"PATH": ":".join(path), "HOME": str(folder.parent), "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}
        self.environment = kept | told
        self.shell = Listener(["bash", "--noprofile", "--norc"], folder, self.environment, subprocess.PIPE)
        self._type("set -o pipefail; trap 'failed=$?' ERR")

    def read(self, page: Page):
        for block in page.blocks:
            # Where a page names no address, the program's own counts.
            said = re.sub(r"\bmainstay up\b", "mainstay up --listen 127.0.0.1:5000", block.text)
            block.text, block.expected = map(self.ports.put_into, (said, block.expected))
            getattr(self, "_do_" + block.action)(block)

    def close(self):
        for listener in [*self.beside, self.shell]:
            listener.end()

    def _type(self, line: str):
        self.shell.process.stdin.write(line + "\n")
        self.shell.process.stdin.flush()

    def _do_file(self, block: Block):
        (self.folder / block.name).write_text(block.text)

    def _do_sh(self, block: Block):
        self.blocks += 1
        script, mark = self.folder.parent / f"block-{self.blocks}", f"block {self.blocks} ended with"
        script.write_text(block.text)
        begun = len(self.shell.printed)
        self._type(f"failed=0; . {script} < /dev/null; echo; echo {mark} $failed")
        over = re.compile(rf"^{mark} (\d+)$", re.MULTILINE)
        self.shell.wait(lambda printed: over.search(printed, begun), f"{block.place} does not end")
        printed = self.shell.printed[begun : over.search(self.shell.printed, begun).start()]
        if over.search(self.shell.printed, begun)[1] != "0":
            raise Wrong(f"{block.place} fails:\n{block.text}\n{printed}")
        if missed := misses(block.expected, printed):
            self.faults.append(f"{block.place} does not print\n    {missed}\nbut:\n{printed}")

    def _do_python(self, block: Block):
        script = self.folder.parent / f"block-{self.blocks + 1}.py"
        script.write_text(block.text)
        self._do_sh(Block("sh", f"PYTHONPATH=. python3 {script}\n", block.place, expected=block.expected))

    def _do_beside(self, block: Block):
        running = Listener(["bash", "-c", block.text], self.folder, self.environment, subprocess.DEVNULL)
        self.beside.append(running)
        running.wait(lambda printed: not misses(block.expected, printed), f"{block.place} does not print what it shows")

    def _do_seen_beside(self, block: Block):
        self.beside[-1].wait(lambda printed: not misses(block.expected, printed), f"{block.place} is not printed")

    def _do_ctrl_c(self, block: Block):
        for running in self.beside:
            running.end(signal.SIGINT)
        self.beside = []
