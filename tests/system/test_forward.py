"""Forward zones and stub zones. The upstream is an Unbound in the lab."""
import re
import time

import dns.message
import dns.rdatatype

import case
from control import Ctl

UPSTREAM = "198.51.100.53"
DEAD = "198.51.100.90"


class ForwardCase(case.DaemonCase):
    """An upstream resolver behind a link of the wire, named "forward"."""

    @classmethod
    def setUpClass(cls):
        net = case.NET
        cls.upstream = net.resolver(kind="unbound", address=UPSTREAM, port=5300, dnssec=False, extra=[
            'local-zone: "corp.internal." static',
            'local-data: "corp.internal. 300 SOA ns. hostmaster. 1 3600 900 86400 60"',
            'local-data: "www.corp.internal. 300 A 10.3.2.1"',
            'local-data: "ip-10-0-0-1.corp.internal. 300 A 10.0.0.1"',
        ] + [f'local-data: "n{i}.corp.internal. 300 A 10.4.0.{i}"' for i in range(200)]).start()
        cls.link = net.wire.add("forward", [UPSTREAM])
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        try:
            super().tearDownClass()
        finally:
            case.NET.wire.close(cls.link)
            del case.NET.wire.links["forward"]
            cls.upstream.stop()

    def setUp(self):
        super().setUp()
        self.link.silent = False


def zone(name, *servers, **more):
    return dict({"name": name, "servers": [f"{s}:53" for s in servers]}, **more)


class Forward(ForwardCase):
    config = {"forward-zones": [
        zone("corp.internal.", UPSTREAM, insecure=True),
        zone("plain.com.", DEAD, UPSTREAM),
        zone("signed.com.", UPSTREAM, transport="tcp"),
        zone("insecure.com.", DEAD, fallback=True),
        zone("big.org.", UPSTREAM),
        zone("unsigned.org.", DEAD),
    ], "serve-stale": {"enabled": False}, "prefetch": {"enabled": False}}

    def test_forwarded(self):
        """RD=1 goes to the upstream, and to nobody else."""
        self.assertData(self.ask("www.corp.internal"), "10.3.2.1")
        self.assertEmpty(self.ask("www.corp.internal", "AAAA"), "NOERROR")
        self.assertEmpty(self.ask("nosuch.corp.internal"), "NXDOMAIN")
        seen = self.net.queries("www.corp.internal.")
        self.assertEqual({q.server for q in seen}, {"forward"})
        self.assertTrue(all(q.message[2] & 1 for q in seen), "RD")

    def test_remembered(self):
        for name in "n1.corp.internal", "nosuch1.corp.internal":
            self.ask(name)
            self.net.clear_queries()
            self.ask(name)
            self.assertEqual(self.net.queries(), [])

    def test_second_server(self):
        """The first is dead; the second one answers in time."""
        reply, took = self.timed("www.plain.com")
        self.assertData(reply, "198.18.1.1")
        self.assertLess(took, 1.8)
        self.assertLess(self.timed("text.plain.com", "TXT")[1], 1)

    def test_chain_out_of_the_zone(self):
        """An alias that leaves the forward zone is followed from the root."""
        self.assertIn("10.0.1.11", case.data(self.ask("db.plain.com")))

    def test_tcp(self):
        self.assertData(self.ask("www.signed.com"), "198.18.1.1")
        self.assertEqual({q.tcp for q in self.net.queries(server="forward")}, {True})

    def test_truncated(self):
        self.assertEqual(len(case.data(self.ask("huge.big.org", "TXT", tcp=True))), 150)

    def test_fallback(self):
        """fallback: true goes on from the root; without it there is a failure."""
        self.assertData(self.ask("www.insecure.com"), "198.18.1.1")
        reply, took = self.timed("www.unsigned.org")
        self.assertData(reply, status="SERVFAIL")
        self.assertEde(reply, 22, 23)
        self.assertLess(took, 1.9)

    def test_silence_and_return(self):
        self.ask("n20.corp.internal")
        self.link.silent = True
        reply, took = self.timed("n21.corp.internal")
        self.assertData(reply, status="SERVFAIL")
        self.assertLess(took, 1.9)
        self.link.silent = False
        begin = time.monotonic()
        while not self.ask("n21.corp.internal").answer and time.monotonic() < begin + 8:
            time.sleep(0.2)
        self.assertLess(time.monotonic() - begin, 5)


class Kept(ForwardCase):
    config = {"forward-zones": [zone("corp.internal.", UPSTREAM, insecure=True)],
              "prefetch": {"min-hits": 1, "min-yield": 0, "remaining": "80%"}}

    def test_due(self):
        """However early a rule has names asked for anew, those of a forwarder wait for their end."""
        ctl = Ctl(self.net, self.daemon)
        for _ in range(2):
            self.assertData(self.ask("www.corp.internal"), "10.3.2.1")
        self.assertRegex(ctl.text("explain", "www.corp.internal"),
                         r"next refresh is due in about (4|5)(\.\d)? min, when what the forwarder told "
                         r"expires")


class Only(ForwardCase):
    config = {"forward-zones": [zone("corp.internal.", UPSTREAM, insecure=True,
                                     only=["ip-*", "n?"])]}

    def test_patterns(self):
        """What no pattern matches does not exist, and nobody is asked."""
        self.assertData(self.ask("IP-10-0-0-1.corp.internal"), "10.0.0.1")
        self.assertData(self.ask("n7.corp.internal"), "10.4.0.7")
        self.net.clear_queries()
        for name in "www.corp.internal", "n17.corp.internal", "a.b.corp.internal":
            reply = self.ask(name)
            self.assertStatus(reply, "NXDOMAIN")
            self.assertEqual(str(reply.authority[0].name), "corp.internal.")
        self.assertEqual(self.net.queries(), [])

    def test_search_list(self):
        """What a search list makes of public names costs nothing upstream, and is counted."""
        self.net.clear_queries()
        for _ in range(3):
            self.assertStatus(self.ask("db.rds.amazonaws.com.corp.internal"), "NXDOMAIN")
        self.assertEqual(self.net.queries(), [])
        ctl = Ctl(self.net, self.daemon)
        self.assertEqual(ctl.json("stats")["search_expansions"], {"corp.internal.": 3})
        self.assertRegex(ctl.text("stats"), r"\ncorp\.internal\. +3\n")


class Border(ForwardCase):
    def test_added_and_removed(self):
        """What one side of a forward zone's border denied is not told by the other."""
        ctl = Ctl(self.net, self.daemon)
        inside = [zone("corp.internal.", UPSTREAM, insecure=True)]
        for zones in [], inside, [], inside:
            self.daemon.configure({"forward-zones": zones})
            ctl.run("config", "reload")
            time.sleep(0.2)             # workers adopt it between two batches
            self.assertEqual(case.data(self.ask("www.corp.internal")),
                             ["10.3.2.1"] if zones else [])


class RateLimit(ForwardCase):
    config = {"forward-zones": [zone(name, UPSTREAM, insecure=True, **{"rate-limit": 20})
                                for name in ("corp.internal.", "other.internal.")]}

    def test_rate(self):
        """A burst of 400 questions: not more packets to the server of both zones than the limit
        allows."""
        self.ask("www.corp.internal")
        self.net.clear_queries()
        begin = time.monotonic()
        self.ask_all([self.query(f"n{i}.{zone}.internal") for i in range(200)
                      for zone in ("corp", "other")], 2.5)
        took = time.monotonic() - begin
        sent = len(self.net.queries(server="forward"))
        self.assertGreater(sent, 10)
        self.assertLess(sent, 20 * took + 20)      # of each second at most 20


class Root(ForwardCase):
    config = {"forward-zones": [zone(".", UPSTREAM)], "dnssec": {"enabled": False}}

    def test_all(self):
        """Everything goes to the upstream."""
        self.assertData(self.ask("www.signed.org"), "198.18.1.1")
        self.assertEmpty(self.ask("nosuch.signed.org"), "NXDOMAIN")
        self.assertEqual({q.message[2] & 1 for q in self.net.queries(server="root-a")} - {0}, set())
        self.assertTrue(self.net.queries("www.signed.org.", server="forward"))


class Stub(case.DaemonCase):
    config = {"stub-zones": [zone("stub.internal.", DEAD, "198.51.100.30", insecure=True)]}

    def test_stub(self):
        """These servers are asked without RD, as authoritative ones."""
        reply, took = self.timed("www.stub.internal")
        self.assertData(reply, "198.18.1.1")
        self.assertLess(took, 1.8)
        self.assertEmpty(self.ask("nosuch.stub.internal"), "NXDOMAIN")
        seen = self.net.queries("www.stub.internal.")
        self.assertTrue(seen)
        self.assertFalse(any(q.message[2] & 1 for q in seen), "RD")


def strip(reply):
    """An edit of a reply: what a forwarder leaves that does not know DNSSEC."""
    message = dns.message.from_wire(reply)
    for section in message.answer, message.authority:
        section[:] = [s for s in section if s.rdtype not in (
            dns.rdatatype.RRSIG, dns.rdatatype.NSEC, dns.rdatatype.NSEC3)]
    return message.to_wire()


class Stripped(ForwardCase):
    """A forwarder that leaves signatures out is named, and is no more once it does not."""
    config = {"forward-zones": [zone("signed.com.", UPSTREAM), zone("plain.com.", UPSTREAM)]}

    def test_named(self):
        ctl = Ctl(self.net, self.daemon)
        self.addCleanup(setattr, self.link, "edit", None)
        self.link.edit = strip
        self.assertData(self.ask("www.plain.com"), "198.18.1.1")    # needs none
        self.assertEqual(ctl.json("status")["warnings"], [])
        for name in "www", "text", "nosuch", "alias", "other":
            self.assertStatus(self.ask(name + ".signed.com"), "SERVFAIL")
        told = rf"forward zone signed\.com\.: {re.escape(UPSTREAM)}:53 leaves signatures out, as for " \
               r"\S+\.signed\.com\., so signed names fail: have it pass DNSSEC on, or mark the zone " \
               "\"insecure: true\""
        warnings = ctl.json("status")["warnings"]
        self.assertEqual(len(warnings), 1)
        self.assertRegex(warnings[0], told)
        self.assertSaid("forward zone without signatures zone=signed.com.", times=1)
        self.link.edit = None
        ctl.text("cache", "flush", "signed.com", "--subtree")
        self.assertData(self.ask("www.signed.com"), "198.18.1.1")
        self.assertEqual(ctl.json("status")["warnings"], [])
