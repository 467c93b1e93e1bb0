"""What the tests of the appliance share: a booted machine per class, and what is wanted of it."""
import os
import subprocess
import time
import types

import yaml

import case
import zones
from machine import Machine

# Set by run: the package, the same of a higher version, a root, and where to put what is made.
DEB = LATER = ROOT = SCRATCH = None

CONFIG = "/etc/resolverd/resolverd.yaml"


class MachineCase(case.DaemonCase):
    """CONFIG of DaemonCase goes over what makes the lab the daemon's internet."""
    @classmethod
    def setUpClass(cls):
        cls.net = case.NET
        cls.daemon = types.SimpleNamespace(address="127.0.0.1")
        cls.machine = Machine(ROOT, SCRATCH).boot()
        cls.addClassCleanup(cls.machine.power_off)

    @classmethod
    def tearDownClass(cls):
        case.NET.heal()

    def setUp(self):
        super().setUp()
        self.net.heal()
        self.began = time.time()

    def tearDown(self):
        self.assertNotIn("sandbox refused", self.machine.journal())

    # ---- what an operator does

    def install(self, deb):
        """As its README says: with apt, from a file. The network is private by then."""
        deb = self.machine.copy_in(deb)
        return self.machine.run("apt-get", "install", "-y", "-q", "-o", "APT::Sandbox::User=root",
                                deb).stdout

    def configure(self, name="resolverd", **more):
        """Write a configuration for the lab's internet."""
        with open(self.net.hints) as hints:
            self.machine.write("/etc/resolverd/root.hints", hints.read())
        own = {"root-hints": "/etc/resolverd/root.hints",
               "dnssec": {"trust-anchors": self.net.trust_anchors},
               "resolution": {"do-query": zones.NETWORKS},
               "metrics": {"listen": ["127.0.0.1:9253"]}, **more}
        own = {key: value for key, value in own.items() if value is not None}
        self.machine.write(f"/etc/resolverd/{name}.yaml", yaml.safe_dump(own, sort_keys=False))

    def systemctl(self, *words):
        return self.machine.run("systemctl", *words)

    # ---- looking

    def assertActive(self, unit="resolverd.service"):
        self.assertEqual(self.machine.properties(unit, "ActiveState", "SubState"),
                         ["active", "running"], self.machine.journal(unit))

    def assertHealthy(self):
        """The daemon has said nothing since the test began that an operator would have to look at."""
        said = self.machine.journal("resolverd", f"--since=@{self.began:.3f}", "--priority=warning",
                                    "_COMM=resolverd")
        self.assertEqual(said, "")

    def until(self, what, timeout_s=20, every_s=0.1):
        """Wait for WHAT() to be true; its value."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            found = what()
            if found:
                return found
            time.sleep(every_s)
        self.fail(f"not in {timeout_s} s; the journal says:\n{self.machine.journal()[-3000:]}")

    def answers(self, address="127.0.0.1"):
        """Is a cached or resolvable name answered there, now?"""
        try:
            return self.ask("www.signed.org", address=address, timeout=1).rcode() == 0
        except (AssertionError, OSError):
            return False

    def dig(self, *words):
        return subprocess.run(["dig", "+time=3", "+tries=1", *words], text=True, check=False,
                              capture_output=True).stdout
