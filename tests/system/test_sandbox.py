"""The daemon's own sandbox: all that it does is possible within, and nothing else is, unseen.

That no daemon of any system test was refused a system call is looked at when all have run; see run.
"""
import glob
import os
import re
import subprocess
import time
import urllib.request

import case
from control import Ctl

HERE = os.path.dirname(os.path.abspath(__file__))
DEFAULTS = os.path.join(HERE, "..", "..", "etc", "resolverd.yaml")
# Wants a capability that the daemon has not by default; its tests are elsewhere.
PRIVILEGED = {"node-local"}


class SandboxCase(case.FreshCase):
    def begin(self, **config):
        self.daemon = self.net.resolver({"metrics": {"listen": ["127.0.0.1:9253"]}, **config})
        self.addCleanup(lambda: self.daemon.process and self.daemon.stop())
        self.ctl = Ctl(self.net, self.daemon)

    def get(self, path):
        try:
            with urllib.request.urlopen("http://127.0.0.1:9253" + path, timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def refused(self):
        return int(re.search(r"(?m)^resolverd_sandbox_refused_total (\d+)",
                             self.get("/metrics")[1]).group(1))


class Walk(SandboxCase):
    def everything(self):
        """Each group of the configuration, set to what makes the daemon do something."""
        return {
            "listen": ["127.0.0.1:53", "[::1]:53"], "workers": 2,
            "access": {"allow": ["any"], "deny": ["192.0.2.2"]},
            "identity": "one", "version": "two", "answer-non-recursive": True,
            "control": {"socket": None, "readonly": "all"},
            "metrics": {"listen": ["127.0.0.1:9253", "[::1]:9253"]},
            "memory": {"limit": "512M"},
            "cache": {"memory": "16M", "disk": "16M", "min-ttl": 1},
            "root-hints": self.net.hints,
            "dnssec": {"trust-anchors": self.net.trust_anchors, "auto-trust-anchors": True,
                       "negative-trust-anchors": ["rsa.org"]},
            "resolution": {"qname-minimization": "strict", "ipv6": True},
            "forward-zones": [{"name": "plain.com.", "servers": ["198.51.100.30"],
                               "rate-limit": 900}],
            "stub-zones": [{"name": "stub.internal.", "servers": ["198.51.100.30"]}],
            "local-zones": [{"name": "here.", "records": ["a.here. A 192.0.2.7"]}],
            "special-zones": True,
            "prefetch": {"min-hits": 1, "zones": [{"name": "org.", "hold": "5s"}]},
            "serve-stale": {"answer-after": "300ms"},
            "log": {"level": "debug", "queries": True},
            "recorder": {"memory": "1M"},
            "sandbox": {"enabled": True},
        }

    def test_everything(self):
        """Every group of the configuration at work; then a life with all its turns."""
        self.begin()
        config = self.everything()
        config["control"]["socket"] = os.path.join(self.daemon.dir, "control.sock")
        with open(DEFAULTS) as text:
            groups = set(re.findall(r"(?m)^#?([a-z0-9-]+):", text.read()))
        self.assertEqual(groups - set(config) - PRIVILEGED, set(), "groups that nobody tries")
        self.daemon.configure(config)
        self.daemon.start()
        for turn in (self.ask_everything, self.command, self.look, self.reload, self.survive,
                     self.lose_the_disk):
            with self.subTest(turn.__name__):
                turn()
                self.assertEqual(self.refused(), 0, self.daemon.said()[-2000:])
        self.assertSaid("sandbox=capabilities")

    def ask_everything(self):
        for name in ("www.signed.org", "www.nsec3.org", "nothing.signed.org", "www.rsa.org",
                     "www.plain.com", "www.stub.internal", "a.here", "six.org", "huge.big.org",
                     "www.badsig.org", "db.cluster-abc.eu-west-1.rds.amazonaws.com"):
            for address in "127.0.0.1", "::1":
                for tcp in False, True:
                    self.ask(name, address=address, tcp=tcp, do=True, timeout=5)
        self.ask("www.dead.org")

    def command(self):
        for words in (["status"], ["stats"], ["cache", "stats"], ["cache", "show", "www.signed.org"],
                      ["cache", "flush", "text.signed.org"], ["upstreams"], ["anchors"],
                      ["forward", "add", "x.invalid", "198.51.100.30"], ["forward", "list"],
                      ["forward", "remove", "x.invalid"], ["nta", "add", "nsec3.org"],
                      ["nta", "remove", "nsec3.org"], ["prefetch", "list"], ["prefetch", "stats"],
                      ["prefetch", "now", "www.signed.org"], ["trace", "www.signed.org"],
                      ["explain", "www.badsig.org"], ["config", "show"], ["config", "check"],
                      ["config", "reload"], ["log", "info"]):
            with self.subTest(" ".join(words)):
                self.ctl.text(*words)
        dump = os.path.join(self.daemon.dir, "dump")
        with open(dump, "w") as out:
            out.write(self.ctl.text("cache", "dump"))
        self.ctl.text("cache", "load", dump)

    def look(self):
        for path in "/metrics", "/healthz", "/readyz":
            self.assertEqual(self.get(path)[0], 200, path)

    def reload(self):
        self.daemon.reload()
        self.ask("www.signed.org")

    def survive(self):
        """A restart, with what popular names make of it."""
        time.sleep(1.2)
        self.assertEqual(self.daemon.stop(), 0)
        self.daemon.start()
        self.ask("www.signed.org")

    def lose_the_disk(self):
        """A damaged cache file is moved aside, and a new one begun."""
        self.assertEqual(self.daemon.stop(), 0)
        with open(os.path.join(self.daemon.dir, "cache", "data.mdb"), "r+b") as file:
            file.write(os.urandom(8192))
        self.daemon.start()
        self.ask("www.signed.org")
        self.assertTrue(glob.glob(os.path.join(self.daemon.dir, "cache", "data.mdb.damaged-*")))


class Forbidden(SandboxCase):
    CALLS = ["execve", "ptrace", "unshare", "mount", "setuid"]

    def test_refused_and_told(self):
        """What the sandbox forbids is not done, and nobody can miss that it was tried."""
        library = os.path.join(self.net.dir, "forbidden.so")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library,
                        os.path.join(HERE, "forbidden.c"), "-ldl"], check=True)
        self.begin()
        self.daemon.may_be_refused = True
        self.daemon.command = ["env", f"LD_PRELOAD={library}", *self.daemon.command]
        self.daemon.start()
        self.assertData(self.ask("www.signed.org"), "198.18.1.1")
        deadline = time.monotonic() + 5
        while "sandbox refused" not in self.daemon.said() and time.monotonic() < deadline:
            time.sleep(0.1)
        said = self.daemon.said()
        for call in self.CALLS:
            self.assertIn(f"forbidden {call}: EPERM\n", said)
        self.assertRegex(said, r"sandbox refused system calls count=5 last=setuid number=\d+")
        if "landlock" in re.search(r"sandbox=(\S+)", said).group(1):
            self.assertIn("forbidden write: EACCES\n", said)
        self.assertEqual(self.refused(), len(self.CALLS))
        status, text = self.get("/readyz")
        self.assertEqual(status, 200)       # it serves
        self.assertIn("degraded: the sandbox refused system calls", text)
        self.assertIn("the sandbox refused system calls", self.ctl.text("status"))
        self.assertEqual(len(self.net.refusals(everyone=True)), 1)
        self.assertEqual(self.net.refusals(), [])
