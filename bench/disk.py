"""What the disk gives: the time of a sync; and who asks it for one."""

import os
import pathlib
import re
import subprocess
import sys
import time

from figure import percentile

PROBES = 100
TRACED = "fsync,fdatasync,sync_file_range,msync,sync,syncfs"
CALL = re.compile(rb"\b(?:fsync|fdatasync|sync_file_range|msync|sync|syncfs)\(")


def sync_ms(directory):
    """The median of `PROBES` times that fdatasync takes after 4 KiB were appended to a file there."""
    path = pathlib.Path(directory) / "sync-probe"
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    times = []
    try:
        for _ in range(PROBES):
            os.write(file, b"x" * 4096)
            start = time.perf_counter()
            os.fdatasync(file)
            times.append(time.perf_counter() - start)
    finally:
        os.close(file)
        path.unlink()
    return percentile(sorted(times), 0.5) * 1e3


class Trace:
    """A log of the calls by which a process and all its children and threads sync, written by strace. The
    filter is the kernel's (seccomp), so that no other call is slowed down. With a delay each of them takes so many
    milliseconds more, as on a slower disk."""

    def __init__(self, path, delay_ms=0):
        self.path, self.delay_ms = pathlib.Path(path), delay_ms

    def command(self):
        trace = ["-e", f"trace={TRACED}", "-e", "signal=none"]
        if self.delay_ms:
            trace += ["-e", f"inject={TRACED}:delay_exit={round(self.delay_ms * 1000)}"]
        return ["strace", "-f", "--seccomp-bpf", "-qq", *trace, "-o", str(self.path)]

    def sync_ms(self, directory):
        """`sync_ms` of a process that is traced so."""
        probe = [sys.executable, __file__, str(directory)]
        return float(subprocess.run([*self.command(), *probe], check=True, capture_output=True, text=True).stdout)

    def syncs(self):
        """How many calls there were so far."""
        return len(CALL.findall(self.path.read_bytes())) if self.path.exists() else 0


if __name__ == "__main__":
    print(sync_ms(sys.argv[1]))
