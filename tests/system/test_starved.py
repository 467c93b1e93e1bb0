"""Memory that cannot be had, at every place where some is asked for: nothing ends the daemon but at
its start, with a message and a status; whoever asked meanwhile gets one answer less."""
import contextlib
import itertools
import mmap
import os
import re
import struct
import subprocess
import time

import case
import dns.exception
import dns.query
from control import Ctl

HERE = os.path.dirname(os.path.abspath(__file__))
DONE, FIRST, HOW_MANY = range(3)
ALL = 1 << 40


def places(count):
    """Which of COUNT allocations to fail: so many, evenly, and others with each seed."""
    step = max(1, count // (12 if case.QUICK else 200))
    return range(case.SEED % step, count, step)


# The C library asserts that it could read a line of nsswitch.conf; without memory it cannot even say so.
C_LIBRARY_ENDS = re.compile(r"nss_database\.c|^Unexpected error\.$", re.M)


class Starved(case.FreshCase):
    """Each test has a daemon whose allocations fail when the test says so; see starve.c."""

    def setUp(self):
        super().setUp()
        library = os.path.join(self.net.dir, "starve.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", library,
                        os.path.join(HERE, "starve.c")], check=True)
        path = os.path.join(self.net.dir, "starve")
        with open(path, "w+b") as file:
            file.write(bytes(4096))
        with open(path, "r+b") as file:
            self.figures = mmap.mmap(file.fileno(), 4096)
        self.daemon = self.net.resolver({"workers": 1, "serve-stale": {"enabled": False},
                                         "resolution": {"ipv6": False},
                                         "metrics": {"listen": ["127.0.0.1:9253"]}})
        self.daemon.command = ["env", f"LD_PRELOAD={library}", f"RESOLVERD_STARVE={path}",
                               *self.daemon.command]
        self.addCleanup(self.end)
        self.ctl = Ctl(self.net, self.daemon)

    def end(self):
        self.enough()
        if self.daemon.process and self.daemon.process.poll() is None:
            self.daemon.stop()
        self.figures.close()

    # ---- the shortage

    def deny(self, first, how_many=1):
        self.figures[:24] = struct.pack("=QQQ", 0, first, how_many)

    def enough(self):
        """No more; how many allocations there have been."""
        done = struct.unpack("=Q", self.figures[:8])[0]
        self.figures[8:24] = struct.pack("=QQ", 0, 0)
        return done

    def count(self, action):
        self.deny(0, 0)
        action()
        return self.enough()

    def assertAlive(self, what):
        status = self.daemon.process.poll()
        self.assertIsNone(status, f"{what}: ended with {status}\n{self.daemon.said()[-3000:]}")

    def walk(self, what, action):
        """ACTION with each allocation failing that it makes, then with all from there on."""
        count = max(self.count(action) for _ in range(2))
        self.assertGreater(count, 0, "nothing was looked at")
        for first, how_many in itertools.product(places(count + count // 10), (1, ALL)):
            self.deny(first, how_many)
            try:
                action()
            finally:
                self.enough()
            self.assertAlive(f"{what}, allocation {first} of {count}, {how_many} fail")
        self.until(lambda: self.ask(self.fresh_name()).rcode() == 0)

    # ---- what is tried

    names = itertools.count()

    def fresh_name(self):
        return f"x{next(self.names)}.wild.org"

    def try_ask(self, name, rrtype="A", tcp=False, **words):
        """Ask, with or without an answer."""
        send = dns.query.tcp if tcp else dns.query.udp
        try:
            return send(self.query(name, rrtype, **words), self.daemon.address, 0.3)
        except (dns.exception.Timeout, OSError, EOFError):
            return None

    def test_serving(self):
        """RFC 1035 §7: a failed allocation costs one answer."""
        self.daemon.start()
        self.walk("a cold name", lambda: self.try_ask(self.fresh_name()))
        self.walk("a cold name over TCP", lambda: self.try_ask(self.fresh_name(), tcp=True))
        self.walk("a hot name", lambda: self.try_ask("www.wild.org"))

    def test_validating(self):
        """Keys and proofs anew each time."""
        self.daemon.start()

        def action():
            self.ctl.run("cache", "flush", "org.", "--subtree")
            self.try_ask("nothing.nsec3.org", do=True)
            self.try_ask("alias.signed.org", do=True)
        self.walk("validation", action)

    @case.slow
    def test_telling(self):
        """What the operator asks for."""
        self.daemon.start()
        for name in ("www.signed.org", "text.signed.org", "pool.signed.org", "nothing.nsec3.org",
                     "www.badsig.org", "alias.plain.com"):
            self.ask(name, do=True)
        for words in (["cache", "dump"], ["status"], ["stats"], ["explain", "www.signed.org"],
                      ["explain", "www.badsig.org"], ["trace", "www.signed.org"], ["upstreams"],
                      ["anchors"], ["top"], ["cache", "show", "www.signed.org"], ["config", "show"],
                      ["forward", "list"], ["nta", "list"], ["prefetch", "list"]):
            self.walk(" ".join(words), lambda words=words: self.try_verb(words))
            self.assertIn(self.ctl.run(*words).returncode, (0, 1))

    def try_verb(self, words):
        """A trace waits fifteen seconds for a report that no memory can be had for."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.ctl.run(*words, timeout=1)

    def test_reload(self):
        self.daemon.start()
        self.walk("reload", lambda: self.ctl.run("config", "reload", timeout=5))

    @case.slow
    def test_start(self):
        """It serves, or says why not and ends with a status of its own."""
        self.deny(0, 0)
        self.daemon.start()
        count = self.enough()
        self.daemon.stop()
        for first, how_many in itertools.product(places(count), (1, ALL)):
            what = f"start, allocation {first} of {count}, {how_many} fail"
            os.unlink(self.daemon.log)
            self.deny(first, how_many)
            self.daemon.start(wait=False)
            answers = self.wait_for_either()
            self.enough()
            if answers:
                self.assertEqual(self.daemon.stop(), 0, f"{what}\n{self.daemon.said()[-3000:]}")
            elif C_LIBRARY_ENDS.search(self.daemon.said()):
                pass
            else:
                status = self.daemon.process.poll()
                self.assertIsNotNone(status, f"{what}: neither serves nor ends")
                self.assertGreater(status, 0, f"{what}\n{self.daemon.said()[-3000:]}")
                self.assertTrue(self.daemon.said().strip(), f"{what}: status {status}, no word")

    def wait_for_either(self):
        """True: it answers; False: it has ended, or does neither."""
        deadline = time.monotonic() + self.patience_s
        while time.monotonic() < deadline and self.daemon.process.poll() is None:
            if self.try_ask("localhost."):
                return True
        return False
