"""Drops that an Amazon instance's network card counts. The card is played by allowance.c."""
import http.client
import os
import re
import subprocess

import case
from control import Ctl

PORT = 9253
HERE = os.path.dirname(os.path.abspath(__file__))


class Allowance(case.DaemonCase):
    @classmethod
    def setUpClass(cls):
        cls.net = case.NET
        cls.card = os.path.join(cls.net.dir, "card")
        shim = os.path.join(cls.net.dir, "allowance.so")
        subprocess.run(["cc", "-O1", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", shim,
                        os.path.join(HERE, "allowance.c"), "-ldl"], check=True)
        cls.count(linklocal=1000, conntrack=7)
        cls.daemon = cls.net.resolver(
            {"metrics": {"listen": [f"127.0.0.1:{PORT}"]}},
            wrapper=["env", f"LD_PRELOAD={shim}", f"ALLOWANCE_FILE={cls.card}"]).start()

    @classmethod
    def count(cls, interface="lo", **counters):
        """What the card counts from now on."""
        with open(cls.card + ".new", "w") as card:
            card.write(f"{interface}\ntx_timeout 0\n")
            for name, value in counters.items():
                card.write(f"{name}_allowance_exceeded {value}\n")
        os.rename(cls.card + ".new", cls.card)

    def get(self, path):
        link = http.client.HTTPConnection("127.0.0.1", PORT, timeout=5)
        try:
            link.request("GET", path)
            return link.getresponse().read().decode()
        finally:
            link.close()

    def samples(self, kind):
        found = re.findall(rf'(?m)^resolverd_{kind}_allowance_exceeded_total'
                           r'\{interface="(\w+)"\} (\d+)$', self.get("/metrics"))
        return {interface: int(value) for interface, value in found}

    @case.slow
    def test_drops(self):
        """Counted from the start on, told, and rate limits give way."""
        ctl = Ctl(self.net, self.daemon)
        self.assertEqual(self.samples("linklocal"), {"lo": 0, "other": 0})
        self.assertEqual(self.samples("bw_in"), {"lo": 0, "other": 0})
        self.assertEqual(self.get("/readyz"), "ok\n")
        self.assertEqual(ctl.json("stats")["allowances"], {})
        self.count(linklocal=1500, conntrack=7)
        self.until(lambda: self.samples("linklocal") == {"lo": 500, "other": 0}, 30)
        self.assertEqual(self.samples("conntrack"), {"lo": 0, "other": 0})
        self.assertSaid("network allowance exceeded interface=lo kind=linklocal packets=500")
        doubt = "lo: packets are dropped, allowance of the instance exceeded (linklocal); " \
                "rate limits of zones are at 75 %"
        self.assertIn(f"degraded: {doubt}\n", self.get("/readyz"))
        self.assertIn(doubt, ctl.json("status")["warnings"])
        self.assertEqual(ctl.json("stats")["allowances"], {"lo linklocal": 500})
        self.assertIn("lo linklocal", ctl.text("stats"))
        # Another kind does not touch the rates, which begin to come back; nor is it told twice.
        self.count(linklocal=1500, conntrack=9)
        self.until(lambda: self.samples("conntrack") == {"lo": 2, "other": 0}, 30)
        self.assertSaid("kind=linklocal", times=1)
        self.assertIn("rate limits of zones are at 78 %", self.get("/readyz"))
        # The card goes: what it had counted stays.
        self.count("nobody")
        self.until(lambda: self.samples("linklocal") == {"other": 500}, 30)
        self.assertData(self.ask("www.signed.org"), "198.18.1.1")
