"""Load over keep-alive connections: requests that were built before, one under way on each connection.

Each process is one epoll loop over raw sockets, so that the generator costs little beside the server; what
it cost is measured too. Only the server's own time goes into a figure.
"""

import multiprocessing
import re
import select
import socket
import time
from dataclasses import dataclass

from figure import percentile

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
FORK = multiprocessing.get_context("fork")


def post(path, body, kind="application/json", headers=""):
    """A request, ready to be sent."""
    head = f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: {kind}\r\n{headers}content-length: {len(body)}\r\n\r\n"
    return head.encode() + body


@dataclass
class Outcome:
    """What a load came to. Times are in seconds."""

    count: int
    wall: float
    server_cpu: float
    generator_cpu: float
    latencies: list[float]
    bodies: list[bytes]
    """Of the answers, where they were to be kept."""

    def p50_ms(self):
        return percentile(self.latencies, 0.5) * 1e3

    def said(self):
        busy = 100 * self.generator_cpu / self.wall
        return f"{self.count / self.wall:,.0f}/s, wall p50 {self.p50_ms():.2f} ms, generator {busy:.0f} % of a core"


def run(server, queues, processes=1, keep=False):
    """Sends the requests of each queue one after the other on a connection of its own. `keep`: also their answers, in
    the order in which they came."""
    shares = [queues[at::processes] for at in range(processes)]
    pipes, workers = [], []
    for share in shares:
        ours, theirs = FORK.Pipe()
        worker = FORK.Process(target=_work, args=(server.port, share, theirs, keep))
        worker.start()
        pipes.append(ours)
        workers.append(worker)
    for pipe in pipes:
        pipe.recv()
    cpu, start = server.spent(), time.perf_counter()
    for pipe in pipes:
        pipe.send("go")
    results = [pipe.recv() for pipe in pipes]
    wall, cpu = time.perf_counter() - start, server.spent() - cpu
    for worker in workers:
        worker.join()
    failed = [error for error, *_ in results if error]
    if failed:
        raise RuntimeError(failed[0])
    latencies = sorted(latency for _, all_of_them, _, _ in results for latency in all_of_them)
    bodies = [body for *_, kept in results for body in kept]
    return Outcome(len(latencies), wall, cpu, sum(spent for _, _, spent, _ in results), latencies, bodies)


def _work(port, queues, pipe, keep):
    try:
        kept = [] if keep else None
        connections = [_Connection(port, queue, kept) for queue in queues]
        pipe.send("ready")
        pipe.recv()
        before = time.process_time()
        latencies = _drive(connections)
        pipe.send((None, latencies, time.process_time() - before, kept or []))
    except Exception as error:  # noqa: BLE001 - told to whoever waits
        pipe.send((repr(error), [], 0.0, []))


class _Connection:
    def __init__(self, port, queue, kept):
        self.kept = kept
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.queue = iter(queue)
        self.buffer = b""
        self.sent = 0.0

    def send_next(self):
        request = next(self.queue, None)
        if request is None:
            return False
        self.sent = time.perf_counter()
        self.socket.sendall(request)
        return True

    def is_answered(self):
        """Reads; whether the answer is whole now."""
        self.buffer += self.socket.recv(65536)
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        if len(self.buffer) < end + 4 + int(LENGTH.search(self.buffer, 0, end + 2)[1]):
            return False
        if self.buffer[9:12] != b"200":
            raise RuntimeError(self.buffer.decode(errors="replace"))
        if self.kept is not None:
            self.kept.append(self.buffer[end + 4 :])
        self.buffer = b""
        return True


def _drive(connections):
    latencies, poll, by_file = [], select.epoll(), {}
    for connection in connections:
        if connection.send_next():
            by_file[connection.socket.fileno()] = connection
            poll.register(connection.socket, select.EPOLLIN)
    while by_file:
        for file, _ in poll.poll():
            connection = by_file[file]
            if connection.is_answered():
                latencies.append(time.perf_counter() - connection.sent)
                if not connection.send_next():
                    poll.unregister(file)
                    del by_file[file]
    return latencies
