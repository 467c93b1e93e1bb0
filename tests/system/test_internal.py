"""Delegations of strangers that name internal addresses, or this machine's own."""
import case
from control import Ctl
from zones import NETWORKS


class Internal(case.DaemonCase):
    """Only the servers of the root and of the top-level domains are excepted: those of the zones
    below them stand at addresses of this machine, as anybody might say of his."""

    config = {"resolution": {"do-query": ["198.51.100.0/28"], "ipv6": False}, "workers": 1}

    def test_own_addresses_are_not_asked(self):
        self.assertStatus(self.ask("www.plain.com"), "SERVFAIL")
        self.assertEqual(self.net.queries("www.plain.com.", server="host-a"), [])
        self.assertEde(self.ask("www.plain.com"), 22)
        ctl = Ctl(self.net, self.daemon)
        told = ctl.text("explain", "www.plain.com", "A")
        self.assertRegex(told, r"198\.51\.100\.\d+:53, which is an address of this machine and not asked")
        self.assertIn("not asked", ctl.text("trace", "www.plain.com", "A"))
        counters = ctl.json("stats")["counters"]
        self.assertGreater(counters["upstream_addresses_refused_total"], 0)
        # Until the operator says otherwise.
        self.daemon.configure({**self.config, "resolution": {"do-query": NETWORKS, "ipv6": False}})
        self.daemon.reload()
        self.until(lambda: self.ask("pool.plain.com").rcode() == 0)
