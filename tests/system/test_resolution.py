"""Iterating from the root."""
import time

import dns.rcode

import case


class Names(case.DaemonCase):
    def test_delegations(self):
        """Delegations of every shape lead to the data."""
        for why, name in (("two labels", "www.plain.com"), ("signed", "www.signed.org"),
                          ("name servers in another zone, no glue", "www.glueless.org"),
                          ("IPv6 only", "www.six.org"), ("below another", "www.child.signed.org"),
                          ("one server of two is dead", "www.halfdead.org")):
            with self.subTest(why):
                self.assertData(self.ask(name), "198.18.1.1")

    def test_aliases(self):
        """RFC 1034 §3.6.2: the chain in order, then the data."""
        for tcp in False, True:
            reply = self.ask("chain1.plain.com", tcp=tcp)
            self.assertStatus(reply, "NOERROR")
            self.assertEqual(case.data(reply), ["chain2.plain.com.", "chain3.plain.com.",
                                                "www.plain.com.", "198.18.1.1"])
        self.assertData(self.ask("crossing.signed.org"), "www.plain.com.", "198.18.1.1")
        self.assertData(self.ask("alias.plain.com", "CNAME"), "www.plain.com.")

    def test_alias_without_data(self):
        """RFC 2308 §2.2: NODATA at the end of a chain."""
        reply = self.ask("alias.plain.com", "MX")
        self.assertData(reply, "www.plain.com.")
        self.assertIn("SOA", case.types(reply.authority))

    def test_dname(self):
        """RFC 6672 §3.1: the DNAME, a CNAME made of it, and the target."""
        reply = self.ask("www.dname.signed.org")
        self.assertEqual(case.data(reply), ["www.target.signed.org.", "198.18.4.1"], reply.to_text())
        self.assertLessEqual({"DNAME", "CNAME", "A"}, case.types(reply.answer))

    def test_loop(self):
        """An alias loop ends, quickly."""
        reply, took = self.timed("loop1.plain.com")
        self.assertIn(dns.rcode.to_text(reply.rcode()), ("SERVFAIL", "NOERROR"))
        self.assertLess(took, 1)
        self.assertLess(len(self.net.queries()), 40)

    def test_wildcard(self):
        self.assertData(self.ask("anything.wild.plain.com"), "198.18.3.1")
        self.assertEmpty(self.ask("anything.wild.plain.com", "MX"), "NOERROR")

    def test_empty_non_terminal(self):
        """RFC 8020 §2: it has no data, but it is there."""
        self.assertEmpty(self.ask("empty.plain.com"), "NOERROR")
        self.assertData(self.ask("deep.empty.plain.com"), "198.18.1.9")

    def test_large(self):
        """An authoritative reply with TC is asked for again over TCP."""
        self.assertEqual(len(case.data(self.ask("huge.big.org", "TXT", tcp=True))), 150)
        self.assertIn(True, [q.tcp for q in self.net.queries("huge.big.org.")])

    def test_minimisation(self):
        """RFC 9156: the root learns the top-level domain, no more."""
        self.ask("www.rsa.org")
        for server in "root-a", "root-b":
            for query in self.net.queries(server=server):
                self.assertLess(query.name.count("."), 2 if "root-servers" not in query.name else 4)

    def test_endpoints(self):
        """CNAME and A with TTL 5, from one reply once the delegation is known."""
        self.ask("db.cluster-abc.eu-west-1.rds.amazonaws.com")
        self.net.clear_queries()
        reply = self.ask("db.cluster-ro-abc.eu-west-1.rds.amazonaws.com")
        self.assertData(reply, "db-instance-2.abc.eu-west-1.rds.amazonaws.com.", "10.0.2.12")
        self.assertEqual([rrset.ttl for rrset in reply.answer], [5, 5])
        self.assertEqual(self.net.queries("db-instance-2.abc.eu-west-1.rds.amazonaws.com."), [])
        self.assertLessEqual(len(self.net.questions()), 2)      # a minimised one may go ahead
        reply = self.ask("master.sessions.abc.euw1.cache.amazonaws.com")
        self.assertData(reply, "sessions-001.sessions.abc.euw1.cache.amazonaws.com.", "10.0.1.21")


class Cache(case.DaemonCase):
    config = {"prefetch": {"enabled": False}, "serve-stale": {"enabled": False}}

    def test_hit(self):
        """What was asked is known for all, in any letter case, over UDP and TCP."""
        self.ask("text.plain.com", "TXT")
        self.net.clear_queries()
        for name in "text.plain.com", "TEXT.plain.COM":
            for tcp in False, True:
                self.assertData(self.ask(name, "TXT", tcp=tcp), '"hello" "world"')
        self.assertEqual(self.net.queries(), [])

    def test_ageing(self):
        """RFC 1034 §3.6: TTLs count down, and at the end it is asked for again."""
        self.ask("www.plain.com")
        self.assertEqual(self.ask("ttl2.plain.com").answer[0].ttl, 2)
        time.sleep(1.1)
        self.assertIn(self.ask("www.plain.com").answer[0].ttl, (298, 299))
        time.sleep(1.1)
        self.net.clear_queries()
        self.assertEqual(self.ask("ttl2.plain.com").answer[0].ttl, 2)
        self.assertEqual(self.net.questions("ttl2.plain.com."), {("ttl2.plain.com.", "A")})

    def test_negative(self):
        """RFC 2308 §5: denials are remembered with the SOA's minimum, counting down."""
        for name, rrtype, status in (("nosuch.plain.com", "A", "NXDOMAIN"),
                                     ("www.plain.com", "MX", "NOERROR")):
            reply = self.ask(name, rrtype)
            self.assertEmpty(reply, status)
            self.assertIn(reply.authority[0].ttl, range(50, 61))
            self.net.clear_queries()
            self.assertEmpty(self.ask(name, rrtype), status)
            self.assertEqual(self.net.queries(), [])
        with self.subTest("RFC 8020: proven NXDOMAIN is of the name, whatever the type"):
            self.assertEmpty(self.ask("nosuch.signed.org"), "NXDOMAIN")
            self.net.clear_queries()
            self.assertEmpty(self.ask("nosuch.signed.org", "AAAA"), "NXDOMAIN")
            self.assertEqual(self.net.queries(), [])
        with self.subTest("what nobody proves is of the type"):
            self.net.clear_queries()
            self.assertEmpty(self.ask("nosuch.plain.com", "AAAA"), "NXDOMAIN")
            self.assertEqual(self.net.questions(), {("nosuch.plain.com.", "AAAA")})

    def test_negative_expires(self):
        self.assertEmpty(self.ask("nosuch.pair.org"), "NXDOMAIN")
        time.sleep(3.2)
        self.net.clear_queries()
        self.assertEmpty(self.ask("nosuch.pair.org"), "NXDOMAIN")
        self.assertEqual(self.net.questions(), {("nosuch.pair.org.", "A")})

    def test_coalesced(self):
        """Fifty clients with one question make one upstream query."""
        self.ask("www.pair.org")
        self.net.clear_queries()
        for name in "pair-a", "pair-b":
            self.net.servers[name].link.delay_s = 0.05
        replies = self.ask_all([self.query("n150.pair.org") for _ in range(50)], 3)
        self.assertEqual(len(replies), 50)
        # One, its retries (these servers used to be quicker), a hedge.
        self.assertLessEqual(len(self.net.queries("n150.pair.org.")), 5)
        self.net.heal()


class TtlLimits(case.DaemonCase):
    config = {"cache": {"memory": "16M", "min-ttl": 30, "max-ttl": 100, "max-negative-ttl": 20}}

    def test_limits(self):
        self.assertEqual(self.ask("ttl5.plain.com").answer[0].ttl, 30)
        self.assertEqual(self.ask("www.plain.com").answer[0].ttl, 100)
        self.assertEqual(self.ask("nosuch.plain.com").authority[0].ttl, 20)


class Load(case.DaemonCase):
    def test_parallel(self):
        """4096 different cold questions at once: each gets its answer."""
        self.ask("www.unsigned.org")
        for name in "host-a", "host-b":
            self.net.servers[name].link.delay_s = 0.05
        self.net.wire.logging = False
        replies = self.ask_all([self.query(f"n{i}.unsigned.org") for i in range(4096)], 6)
        self.net.wire.logging = True
        self.net.heal()
        good = [r for r in replies if r.rcode() == 0 and r.answer]
        self.assertEqual((len(replies), len(good)), (4096, 4096))
