"""Hot names are kept fresh: asked again before they expire, whoever asks or does not."""
import time

import dns.message
import dns.rrset

import case
import re
from test_forward import UPSTREAM, ForwardCase, zone

NAME = "db.cluster-abc.eu-west-1.rds.amazonaws.com"
AT_ONCE_S = 0.05        # what a hit and Python take; the wire alone takes as long
RULES = {"max-rate": 100, "zones": [
    {"name": "amazonaws.com.", "min-hits": 1, "min-yield": 0, "hold": "20s",
     "max-staleness": "20s"},
    {"name": "corp.internal.", "min-hits": 1, "min-yield": 0, "hold": "5s"}]}


class Prefetch(case.DaemonCase):
    config = {"prefetch": RULES, "log": {"level": "info"}}

    def setUp(self):
        self.net.heal()
        super().setUp()
        for link in self.links():
            link.delay_s = AT_ONCE_S

    def tearDown(self):
        self.net.heal()

    def links(self):
        return [server.link for name, server in self.net.servers.items() if name.startswith("aws")]

    def refreshes(self):
        return [q.time for q in self.net.queries(NAME + ".", "A")]

    @case.slow
    def test_kept_fresh(self):
        """TTL 5: refreshed without being asked for, once a TTL less a second; nobody waits."""
        self.ask(NAME)
        self.net.clear_queries()
        time.sleep(13)
        seen = self.refreshes()
        self.assertIn(len(seen), (3, 4))
        reply, took = self.timed(NAME)
        self.assertIn("10.0.1.11", case.data(reply))
        self.assertLess(took, AT_ONCE_S)
        self.assertEqual([o for o in reply.options if o.otype == 15], [])

    @case.slow
    def test_held(self):
        """Servers fall silent: the old answer at once, marked stale; fresh again soon after."""
        before = case.data(self.ask(NAME))
        for link in self.links():
            link.silent = True
        time.sleep(8)
        reply, took = self.timed(NAME)
        self.assertEqual(case.data(reply), before)
        self.assertLess(took, AT_ONCE_S)
        self.assertEde(reply, 3)
        for link in self.links():
            link.silent = False
        time.sleep(6)
        reply, took = self.timed(NAME)
        self.assertLess(took, AT_ONCE_S)
        self.assertEqual([o for o in reply.options if o.otype == 15], [])

    @case.slow
    def test_changed(self):
        """A failover is seen within a TTL, told in the log, and nobody waits for it."""
        self.ask(NAME)
        for link in self.links():
            link.edit = lambda reply: reply.replace(bytes([10, 0, 1, 11]), bytes([10, 0, 9, 99]))
        time.sleep(5.5)
        reply, took = self.timed(NAME)
        self.assertIn("10.0.9.99", case.data(reply))
        self.assertLess(took, AT_ONCE_S)
        self.assertSaid(f"record changed: name={NAME}. type=A")
        self.assertSaid("10.0.9.99\"")


class FlipGuard(Prefetch):
    """One server that has lost its data is not believed; when all say so, they are."""
    config = {"prefetch": dict(RULES, zones=[dict(RULES["zones"][0], **{"flip-guard": "10s"})]),
              "log": {"level": "info"}}
    test_kept_fresh = test_held = test_changed = None

    @staticmethod
    def deny(reply):
        """NXDOMAIN with the question and nothing else: no SOA, so nobody keeps it."""
        message = dns.message.from_wire(reply)
        message.set_rcode(3)
        soa = dns.rrset.from_text("amazonaws.com.", 60, "IN", "SOA", "ns. host. 1 60 60 60 60")
        message.answer, message.authority, message.additional = [], [soa], []
        return message.to_wire()

    @case.slow
    def test_one_denies(self):
        before = case.data(self.ask(NAME))
        links = self.links()
        links[0].edit = self.deny
        for _ in range(24):
            time.sleep(0.5)
            reply, took = self.timed(NAME)
            self.assertEqual(case.data(reply), before)
            self.assertLess(took, AT_ONCE_S)
        for link in links[1:]:
            link.edit = self.deny
        self.until(lambda: self.ask(NAME).rcode() == 3, 12)
        self.assertSaid(re.compile(fr"record changed: name={NAME}. .* new=\"NXDOMAIN\""))


class Forwarded(ForwardCase):
    """A forwarder's cache tells the TTL that is left: to ask before expiry gains nothing."""
    config = {"forward-zones": [zone("corp.internal.", UPSTREAM, insecure=True)],
              "prefetch": RULES, "cache": {"max-ttl": 3}}

    @case.slow
    def test_at_expiry(self):
        self.ask("www.corp.internal")
        begin = time.monotonic()
        self.net.clear_queries()
        time.sleep(8)
        seen = [q.time - begin for q in self.net.queries("www.corp.internal.", "A")]
        self.assertEqual(len(seen), 2)
        self.assertGreater(seen[0], 2.9)
        reply, took = self.timed("www.corp.internal")
        self.assertData(reply, "10.3.2.1")
        self.assertLess(took, AT_ONCE_S)
