"""Time that passes while the machine does not count it."""
import os
import re
import struct
import subprocess

import case

HERE = os.path.dirname(os.path.abspath(__file__))
HOUR_NS = 3600 * 10**9


class Clock(case.FreshCase):
    NAME = "www.plain.com"      # its TTL is 300

    def begin(self):
        library = os.path.join(self.net.dir, "clocks.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, os.path.join(HERE, "clocks.c")],
                       check=True)
        self.clocks = os.path.join(self.net.dir, "clocks")
        self.pass_uncounted(boot=0, wall=0)
        self.daemon = self.net.resolver({"workers": 1, "prefetch": {"enabled": False},
                                         "serve-stale": {"enabled": False}}, dnssec=False)
        self.addCleanup(lambda: self.daemon.process and self.daemon.stop())
        self.daemon.command = ["env", f"LD_PRELOAD={library}", f"RESOLVERD_CLOCKS={self.clocks}",
                               *self.daemon.command]
        self.daemon.start()

    def pass_uncounted(self, boot, wall):
        with open(self.clocks, "r+b" if os.path.exists(self.clocks) else "w+b") as file:
            file.write(struct.pack("=qq", boot, wall).ljust(4096, b"\0"))

    def asked_anew(self):
        self.net.clear_queries()
        self.assertData(self.ask(self.NAME), "198.18.1.1")
        return bool(self.net.queries(self.NAME + "."))

    def told(self):
        return len(re.findall(r"time passed uncounted", self.daemon.said()))

    def check(self, boot, wall):
        self.begin()
        self.assertTrue(self.asked_anew())
        self.assertFalse(self.asked_anew())
        self.pass_uncounted(boot, wall)
        self.assertTrue(self.asked_anew(), "expired data is told as fresh")
        self.assertFalse(self.asked_anew())
        self.until(lambda: self.told() == 1)

    def test_suspended(self):
        """An hour asleep counts, whatever CLOCK_MONOTONIC says."""
        self.check(HOUR_NS, HOUR_NS)

    def test_restored(self):
        """The machine's memory was kept for an hour: the wall clock alone tells."""
        self.check(0, HOUR_NS)

    def test_set_back(self):
        """A wall clock that is set back, and right again, is not heeded."""
        self.begin()
        self.assertTrue(self.asked_anew())
        for wall in -HOUR_NS, 0:
            self.pass_uncounted(0, wall)
            self.assertFalse(self.asked_anew())
        self.assertEqual(self.told(), 0)
