"""The ceiling of the process's memory: everything that strangers can fill, filled at once."""
import os
import socket
import struct
import threading
import time

import case
from case import framed, read_messages
from control import Ctl

MB = 1 << 20
LIMIT_MB, CACHE_MB = 96, 4
QUESTIONS, HALF_FRAMES, NAMES = 6000, 1500, 12000
FILL_S = 8


def wire_query(number, name):
    """A question without EDNS, made by hand: there are thousands."""
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack(">HHHHHH", number & 0xffff, 0x0100, 1, 0, 0, 0) + labels + b"\0\0\1\0\1"


class MemoryGroup:
    """A control group of version 2 for a process, where the test may make one."""

    def __init__(self, pid, limit):
        self.path = f"/sys/fs/cgroup/resolverd-test-{os.getpid()}"
        try:
            os.mkdir(self.path)
            with open(f"{self.path}/memory.max", "w") as file:
                file.write(str(limit))
            with open(f"{self.path}/cgroup.procs", "w") as file:
                file.write(str(pid))
        except OSError:
            self.remove()

    def remove(self):
        try:
            os.rmdir(self.path)
        except OSError:
            pass


class Ceiling(case.DaemonCase):
    config = {"workers": 1, "memory": {"limit": f"{LIMIT_MB}M"}, "cache": {"memory": f"{CACHE_MB}M"},
              "prefetch": {"enabled": False}, "recorder": {"memory": "1M"}}

    def setUp(self):
        super().setUp()
        self.stop = threading.Event()
        self.addCleanup(self.net.heal)
        self.addCleanup(self.stop.set)

    def send_slowly(self, count, name):
        """COUNT questions for NAME(i), in FILL_S seconds."""
        socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
        for sock in socks:
            sock.connect((self.daemon.address, 53))
        begin = time.monotonic()
        for i in range(count):
            if self.stop.is_set():
                break
            try:
                socks[i % 4].send(wire_query(i, name(i)))
            except OSError:
                pass
            ahead = begin + FILL_S * i / count - time.monotonic()
            if ahead > 0.01:
                time.sleep(ahead)
        for sock in socks:
            sock.close()

    def begin_frames(self):
        """Most of a frame on each of many connections, which stay."""
        frame = framed(self.query("www.signed.org"))
        half = struct.pack(">H", 4096) + frame[2:] + b"x" * 3900
        for _ in range(HALF_FRAMES):
            sock = self.connect()
            try:
                sock.send(half)
            except OSError:
                pass
            time.sleep(FILL_S / HALF_FRAMES / 2)

    def accounts(self):
        status = Ctl(self.net, self.daemon).json("status")
        return {a["name"]: a for a in status["memory"]["accounts"]}, status["memory"]

    @case.slow
    def test_all_at_once(self):
        """No account passes its limit, the process not the ceiling, and a hot name is answered."""
        group = MemoryGroup(self.daemon.process.pid, LIMIT_MB * MB)
        self.addCleanup(group.remove)
        self.ask("www.signed.org")
        for name in "pair-a", "pair-b":
            self.net.servers[name].link.silent = True
        work = [threading.Thread(target=self.send_slowly, args=job) for job in (
                    (QUESTIONS, lambda i: f"x{i}.silence.pair.org"),
                    (NAMES, lambda i: f"{'n' * 50}{i}.wild.unsigned.org"))]
        work.append(threading.Thread(target=self.begin_frames))
        for thread in work:
            thread.start()
        # Over TCP, where a loaded machine loses nothing.
        hot, most = self.connect(timeout=20), 0
        while any(thread.is_alive() for thread in work):
            hot.sendall(framed(self.query("www.signed.org")))
            reply, = read_messages(hot, 1)
            self.assertData(reply, "198.18.1.1")
            most = max(most, self.daemon.rss_bytes())
            time.sleep(0.05)
        for thread in work:
            thread.join()
        time.sleep(1.1)         # the main thread enters the cache once a second
        accounts, memory = self.accounts()
        for name, a in accounts.items():
            self.assertLessEqual(a["used_bytes"], a["limit_bytes"], name)
            # What one turn of one question takes may come on top.
            self.assertLessEqual(a["most_bytes"], a["limit_bytes"] + MB // 4, name)
        for name in "questions", "input":
            self.assertGreater(accounts[name]["shed"], 0, f"{name}: {accounts[name]}")
        self.assertGreater(accounts["cache"]["used_bytes"], CACHE_MB * MB // 2)
        self.assertLess(most, LIMIT_MB * MB)
        self.assertEqual(memory["limit_bytes"], LIMIT_MB * MB)
        self.assertLessEqual(sum(a["limit_bytes"] for a in accounts.values()), LIMIT_MB * MB)
        self.assertIsNone(self.daemon.process.poll())
