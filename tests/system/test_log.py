"""The log and who reads it: nobody waits for a reader, and what he has missed is told."""
import os
import re
import signal
import socket
import sys
import time

import case
from control import Ctl

# In a mount namespace of its own: a journal that takes messages and never reads one.
JOURNAL = r"""
import os, socket, subprocess, sys
subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
os.makedirs("/run/systemd/journal")
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("/run/systemd/journal/socket")
stream, ours = socket.socketpair()
os.dup2(stream.fileno(), 2)
s = os.fstat(2)
for fd in journal.fileno(), ours.fileno():
    os.set_inheritable(fd, True)
os.environ["JOURNAL_STREAM"] = f"{s.st_dev}:{s.st_ino}"
os.execv(sys.argv[1], sys.argv[1:])
"""
LINES = 9000        # more than the queue holds; a pipe holds some 500, the journal's socket a dozen


class LogCase(case.FreshCase):
    config = {"log": {"level": "info", "queries": True}}

    def begin(self, **words):
        self.daemon = self.net.resolver(self.config, **words)
        self.ctl = Ctl(self.net, self.daemon)
        self.addCleanup(lambda: self.daemon.process and self.daemon.stop())

    def ask_often(self, count):
        """COUNT questions, one after the other: how many of them had no answer in two seconds."""
        packet, lost = self.query("localhost.").to_wire(), 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(2)
            sock.connect((self.daemon.address, 53))
            for _ in range(count):
                sock.send(packet)
                try:
                    sock.recv(512)
                except socket.timeout:
                    lost += 1
                    if lost > 3:
                        return count
        return lost

    def assertUnheard(self):
        """Answers go on, the lines that found no room are told, and the end does not wait."""
        self.assertEqual(self.ask_often(LINES), 0)
        warnings = self.ctl.json("status")["warnings"]
        self.assertRegex(" ".join(warnings), r"lines of the log are not taken \(whoever reads it "
                                             r"stands still\): [1-9]\d* were dropped")

    def assertEnds(self):
        begin = time.monotonic()
        self.daemon.process.send_signal(signal.SIGTERM)
        self.assertEqual(self.daemon.process.wait(10), 0)
        self.daemon.stop()
        self.assertLess(time.monotonic() - begin, 6)


class Pipe(LogCase):
    def begin_piped(self):
        fifo = os.path.join(self.net.dir, "fifo-" + self.id())
        os.mkfifo(fifo)
        self.pipe = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, self.pipe)
        self.begin()
        log, self.daemon.log = self.daemon.log, fifo
        self.daemon.start()
        self.daemon.log = log
        open(log, "w").close()

    def test_unread(self):
        """A pipe that nobody reads ends neither answers nor the daemon's own end."""
        self.begin_piped()
        self.assertUnheard()
        self.assertEnds()

    def test_read_again(self):
        """Where lines are missing in a log that flows again, it says how many; and they are counted."""
        self.begin_piped()
        self.assertUnheard()
        self.ctl.run("log", "queries", "off")
        text = b""

        def read():
            nonlocal text
            try:
                text += os.read(self.pipe, 1 << 20)
            except BlockingIOError:
                pass
            return b"missing here" in text and b"query log changed" in text
        self.until(read)
        told = int(re.search(rb"lines of the log are missing here count=(\d+)", text)[1])
        self.assertEqual(self.ctl.json("status")["warnings"], [])
        self.assertEqual(self.ctl.json("stats")["counters"]["log_dropped_total"], told)
        asked = self.ctl.json("status")["queries"]
        self.assertEqual(text.count(b"query client="), asked - told)
        # What is rare finds room where the query log has found none.
        self.assertLess(text.index(b"query log changed"), text.index(b"missing here"))

    def test_gone(self):
        """A reader who has gone is told of by status; nothing ends."""
        self.begin_piped()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, self.pipe)
        os.close(nothing)
        self.assertEqual(self.ask_often(20), 0)
        self.until(lambda: "lines of the log are not taken (Broken pipe)" in
                   " ".join(self.ctl.json("status")["warnings"]))
        self.assertEnds()


class Journal(LogCase):
    def test_unread(self):
        """A journal that stands still ends neither answers nor the daemon's own end."""
        self.begin(wrapper=["unshare", "-m", sys.executable, "-c", JOURNAL])
        self.daemon.start()
        self.assertUnheard()
        self.assertEnds()
