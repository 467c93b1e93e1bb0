"""The control socket, driven by a Varlink client that others wrote."""
import json
import subprocess

import case
import independent
from control import Ctl

# Runs in that client's own environment; what it learns is printed as JSON.
SCRIPT = r"""
import json, sys
import varlink

with varlink.Client.new_with_address("unix:" + sys.argv[1]) as client:
    service = client.open("org.varlink.service")
    found = {"interfaces": service.GetInfo()["interfaces"]}
    with client.open("io.resolverd", namespaced=False) as daemon:
        found["methods"] = sorted(n for n in client.get_interface("io.resolverd").members
                                  if n[0].isupper())
        found["status"] = daemon.Status()
        found["shown"] = daemon.CacheShow("www.signed.org", "A")["entries"]
        stats = daemon.Stats(100, _more=True)
        found["stats"] = [next(stats)["counters"]["queries_udp_total"] for _ in range(3)]
        stats.close()
    with client.open("io.resolverd") as daemon:
        found["dumped"] = sum(len(r["entries"]) for r in daemon.CacheDump(None, _more=True))
        found["asked"] = daemon.CacheLoad(["new.signed.org A", "a..b"])
        errors = []
        for name, parameters in (("CacheShow", ("a..b", None)), ("NtaRemove", ("not.there",))):
            try:
                getattr(daemon, name)(*parameters)
            except varlink.VarlinkError as error:
                errors.append(error.error())
        found["errors"] = errors
    json.dump(found, sys.stdout)
"""


class Independent(case.DaemonCase):
    def test_client(self):
        """It reads our interface description, calls verbs, takes streams and understands errors."""
        python = independent.python(self.net.build)
        if not python:
            print("skipped: PyPI cannot be reached, so there is no other Varlink client to try")
            self.skipTest("no PyPI")
        self.ask("www.signed.org")
        done = subprocess.run([python, "-c", SCRIPT, Ctl(self.net, self.daemon).socket],
                              capture_output=True, text=True, timeout=30, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)
        self.assertEqual(found["interfaces"], ["org.varlink.service", "io.resolverd"])
        self.assertIn("ConfigReload", found["methods"])
        self.assertEqual(found["status"]["pid"], self.daemon.process.pid)
        self.assertEqual({e["verdict"] for e in found["shown"]}, {"secure"})
        self.assertEqual(found["stats"], sorted(found["stats"]))
        self.assertGreater(found["dumped"], 3)
        self.assertEqual((found["asked"]["asked"], found["asked"]["rejected"]), (1, 1))
        self.assertEqual(found["errors"], ["org.varlink.service.InvalidParameter",
                                           "io.resolverd.NotFound"])
