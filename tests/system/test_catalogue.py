"""A catalogue of failures: after each, `explain` names its true cause in plain words.

The fact comes first, then the operator's question; nothing is reproduced and no log is read.
"""
import re
import threading
import time

import case
from control import Ctl


def question(message):
    """The bytes of a message's question."""
    return message[12:message.index(b"\0", 12) + 5]


def rcode(number):
    """An edit of a reply: nothing but this rcode."""
    return lambda reply: reply[:2] + b"\x80" + bytes([number]) + reply[4:6] + bytes(6) + question(reply)


def upward(reply):
    """An edit of a reply: a referral to the root, as a server gives that does not serve the zone."""
    ns = b"\0\0\x02\0\x01\0\0\x0e\x10\0\x14\x01a\x0croot-servers\x03net\0"
    return reply[:2] + b"\x80\0" + reply[4:6] + b"\0\0\0\x01\0\0" + question(reply) + ns


class ExplainCase(case.DaemonCase):
    def setUp(self):
        super().setUp()
        self.net.heal()
        self.ctl = Ctl(self.net, self.daemon)
        self.pair = [self.net.servers[s] for s in ("pair-a", "pair-b")]

    def tearDown(self):
        self.net.heal()

    def edit_pair(self, edit):
        for server in self.pair:
            server.link.edit = edit

    def explain(self, name, rrtype="A", *options):
        reply = self.ctl.json("explain", name, rrtype, *options)
        return reply["summary"], "\n".join(reply["story"]), reply

    def assertCause(self, name, *patterns, rrtype="A", options=()):
        """Each pattern is found in what explain says."""
        summary, story, _ = self.explain(name, rrtype, *options)
        for pattern in patterns:
            self.assertRegex(summary + "\n" + story, pattern)

    def assertFails(self, name, rrtype="A", status="SERVFAIL", **words):
        reply = self.ask(name, rrtype, **words)
        self.assertStatus(reply, status)
        return reply


class Catalogue(ExplainCase):
    config = {
        "prefetch": {"enabled": False}, "serve-stale": {"enabled": False},
        "access": {"allow": ["loopback"]},
        "local-zones": [{"name": "blocked.org.", "action": "refuse"}],
        "forward-zones": [
            {"name": "down.invalid.", "servers": ["192.0.2.99"]},
            {"name": "shapes.internal.", "servers": ["192.0.2.99"], "only": ["ip-*"]},
            {"name": "busy.internal.", "servers": ["192.0.2.98"], "rate-limit": 1}],
    }

    # ---- servers

    def test_lame(self):
        self.edit_pair(upward)
        self.assertFails("n1.pair.org")
        self.assertCause("n1.pair.org",
                         r"Server 198\.51\.100\.40:53 is not authoritative for pair\.org\., though "
                         r"that is delegated to it \(lame\)")

    def test_refused_everywhere(self):
        self.edit_pair(rcode(5))
        self.assertFails("n2.pair.org")
        for address in "40", "41":
            self.assertCause("n2.pair.org", rf"198\.51\.100\.{address}:53, asked for pair\.org\., "
                                            r"answered REFUSED")

    def test_servfail_upstream(self):
        self.edit_pair(rcode(2))
        self.assertFails("n3.pair.org")
        self.assertCause("n3.pair.org", r"asked for pair\.org\., answered SERVFAIL")

    def test_unreachable(self):
        """A closed port: ICMP says so."""
        for server in self.pair:
            server.stop()
        self.assertFails("n4.pair.org")
        self.assertCause("n4.pair.org", r"198\.51\.100\.4[01]:53, asked for pair\.org\., cannot be "
                                        r"reached: the network, or the host, says so")

    def test_timeout(self):
        """At once after the client's failure, though the work goes on behind its back."""
        self.assertFails("x1.dead.org")
        self.assertCause("x1.dead.org",
                         r"was not answered within 1\.[789] s \(\d packets\), and the client got "
                         r"SERVFAIL while the work went on: no answer from 198\.51\.100\.90",
                         r"Server 198\.51\.100\.90:53, asked for dead\.org\., did not answer \d times")

    def test_forwarder_down(self):
        self.assertFails("www.down.invalid")
        self.assertCause("www.down.invalid", r"forward zone down\.invalid\. of the configuration",
                         r"Server 192\.0\.2\.99:53, asked for down\.invalid\., did not answer")

    def test_late(self):
        """The answer came, but too late for the client."""
        self.ask("n5.pair.org")
        for server in self.pair:
            server.link.delay_s = 1.2
        self.assertFails("n6.pair.org")
        time.sleep(1.5)
        summary, story, reply = self.explain("n6.pair.org")
        self.assertIn("answered from the cache", summary)
        self.assertRegex(story, r"was answered NOERROR, insecure, from \S+:53 after [2-4]")
        self.assertIn("Clients could not wait so long and got SERVFAIL", story)
        self.assertIn("servfail", reply["recent"][0]["told"])

    def test_malformed(self):
        self.edit_pair(lambda reply: reply[:len(reply) - 5])
        self.assertFails("n7.pair.org")
        self.assertCause("n7.pair.org", r"sent \d+ times what is malformed or does not match")

    def test_tcp_blocked(self):
        """Truncated over UDP, and TCP does not get through."""
        links = [self.net.servers[s].link for s in ("host-a", "host-b")]
        for link in links:
            for sock in link.listeners:
                sock.shutdown(2)
                sock.close()
            link.listeners = []
        try:
            self.assertFails("huge.big.org", "TXT")
            self.assertCause("huge.big.org", r"its answer is truncated, but over TCP it refused or "
                             r"closed the connection: is TCP to port 53 blocked on the way\?",
                             rrtype="TXT")
        finally:
            for link in links:
                self.net.wire.close(link)

    def test_throttled(self):
        """More is asked than a forward zone's rate limit lets out."""
        for number in range(8):
            self.daemon_query(f"n{number}.busy.internal")
        self.assertFails("last.busy.internal")
        self.assertCause("last.busy.internal", r"rate limit|rate-limit",
                         r"A rate limit held it back")
        self.assertIn("questions failed because of a zone's rate limit", self.ctl.text("status"))

    def daemon_query(self, name):
        """Ask and do not wait."""
        import socket
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(sock.close)
        sock.sendto(self.query(name).to_wire(), (self.daemon.address, 53))

    # ---- zones

    def test_bogus(self):
        """Each reason, with the record and the zone."""
        for name, cause in (
                ("www.expired.org", r"www\.expired\.org\. A .*signature has expired|expired"),
                ("www.future.org", r"not yet valid|not valid yet|Not Yet Valid"),
                ("www.wrongds.org", r"no (DNSKEY|key).*wrongds\.org|wrongds\.org\. DNSKEY"),
                ("www.stripped.org", r"stripped\.org"),
                ("www.nosig.org", r"www\.nosig\.org\. A .*(no signature|signed|RRSIGs Missing)"),
                ("www.badsig.org", r"www\.badsig\.org\. A from \S+: signature does not verify"),
                ("nothing.nodenial.org", r"nothing\.nodenial\.org\. .*(denial|NSEC)")):
            with self.subTest(name):
                self.assertFails(name)
                self.assertCause(name, r"SERVFAIL", cause)
                self.ctl.text("cache", "flush", name)
                self.assertCause(name, r"Recorded .* ago", cause, r"was flushed")

    def test_denied_by_range(self):
        """A name that nobody has asked for, denied by what its zone has proven (RFC 8198)."""
        for zone in "signed.org", "nsec3.org":
            with self.subTest(zone):
                told = []
                for i in range(60):     # what it says comes true, for each name
                    name = f"mm{i}.{zone}"
                    summary, story, _ = self.explain(name)
                    self.net.clear_queries()
                    self.assertFails(name, status="NXDOMAIN")
                    made = not [q for q in self.net.queries() if q.name.endswith(zone + ".")]
                    self.assertEqual(made, "has proven so" in summary, summary)
                    if made:
                        told.append((name, summary, story))
                name, summary, story = told[0]
                self.assertIn(f"{name}. A does not exist (NXDOMAIN, secure): the zone {zone}. has "
                              "proven so when others were asked for (RFC 8198)", summary)
                self.assertRegex(story, rf"Proven: \S*{zone}\. NSEC3? \S+")
        self.ask("www.signed.org")
        self.assertFails("www.signed.org", "TXT", status="NOERROR")
        self.assertCause("www.signed.org", r"^www\.signed\.org\. LOC has no such records \(NODATA, secure",
                         rrtype="LOC")

    def test_loop(self):
        self.assertFails("loop1.plain.com")
        self.assertCause("loop1.plain.com", r"CNAME chain loops")

    def test_limit(self):
        self.assertFails("a1.limits.org")
        self.assertCause("a1.limits.org", r"A limit ended it: CNAME chain is too long")

    # ---- the configuration

    def test_access_list(self):
        self.assertFails("www.signed.org", status="REFUSED", source="192.0.2.1")
        self.assertCause("www.signed.org", r"is refused to 192\.0\.2\.1: the access list",
                         options=("--client", "192.0.2.1"))
        self.assertCause("www.signed.org", r"127\.0\.0\.1 may ask",
                         options=("--client", "127.0.0.1"))
        self.assertCause("www.signed.org", r"[1-9]\d* queries of clients whom the access list")
        self.assertEqual(self.ctl.run("explain", "a", "--client", "x").returncode, 64)

    def test_local_zone(self):
        self.assertFails("www.blocked.org", status="REFUSED")
        self.assertCause("www.blocked.org", r"is refused: the local zone blocked\.org\. says so")

    def test_special_name(self):
        self.assertFails("nothing.invalid", status="NXDOMAIN")
        self.assertCause("nothing.invalid", r"built-in local zone invalid\.; nobody is asked")

    def test_only(self):
        self.assertFails("www.shapes.internal", status="NXDOMAIN")
        self.assertCause("www.shapes.internal", r'no "only" pattern of the forward zone '
                                                r"shapes\.internal\. matches it")

    def test_search_list(self):
        self.assertFails("www.plain.com.shapes.internal", status="NXDOMAIN")
        self.assertCause("www.plain.com.shapes.internal",
                         r"shapes\.internal\. seems to have been appended by a client's search list")

    def test_negative_anchor(self):
        """Not a failure, but why there is none."""
        self.ctl.text("nta", "add", "badsig.org")
        self.addCleanup(self.ctl.text, "nta", "remove", "badsig.org")
        time.sleep(0.3)
        self.assertStatus(self.ask("www.badsig.org"), "NOERROR")
        self.assertCause("www.badsig.org", r"negative trust anchor.*covers the name")

    def test_flushed(self):
        self.ask("www.signed.org")
        self.ctl.text("cache", "flush", "signed.org", "--subtree")
        self.assertCause("www.signed.org", r"^Nothing is cached for www\.signed\.org\. A",
                         r"All below signed\.org\. was flushed by an operator \d+ ms ago")


class Answers(ExplainCase):
    """What is told where nothing failed."""
    config = {"prefetch": {"min-hits": 2}}

    def test_answer(self):
        """Where an answer comes from, who vouches for it, and how it was got."""
        self.ctl.text("cache", "flush", "--all")
        for _ in range(3):
            self.ask("www.signed.org")
            time.sleep(1.0)
        self.assertCause("www.signed.org", r"validated data",
                         r"Chain of trust, as far as its keys are cached: \. > org\. > signed\.org\.",
                         r"Asked for in [2-3] different seconds",
                         r"Recorded .* ago, for 127\.0\.0\.1:\d+: it was answered NOERROR, secure, "
                         r"from (198\.51\.100|\[2001:db8:1:)[.:]3[01]\]?:53 after",
                         r"The whole cache was flushed")
        recent = self.explain("www.signed.org")[2]["recent"]
        self.assertIn("send", {s["kind"] for s in recent[-1]["steps"]})


class Families(case.DaemonCase):
    config = {"resolution": {"ipv6": False}, "recorder": {"redact": True}}

    def test_no_route(self):
        """A zone whose servers have IPv6 addresses only, and a resolver without."""
        ctl = Ctl(self.net, self.daemon)
        self.assertStatus(self.ask("www.six.org"), "SERVFAIL")
        reply = ctl.json("explain", "www.six.org")
        self.assertRegex(reply["summary"], r"the servers of six\.org\. have IPv6 addresses only, to "
                                           r"which there is no route")
        self.assertIsNone(reply["recent"][0]["client"])


class PrefetchLimit(ExplainCase):
    config = {"prefetch": {"max-rate": 1}, "recorder": {"slow": "200ms"}}

    def test_max_rate(self):
        """Refreshes wait for each other, and say for what."""
        names = [f"n{number}.pair.org" for number in range(1, 5)]
        asking = [threading.Thread(target=self.ctl.run, args=("prefetch", "now", name))
                  for name in names]
        for thread in asking:
            thread.start()
        for thread in asking:
            thread.join()
        held = [story for story in (self.explain(name)[1] for name in names)
                if "The rate limit of prefetching held it back" in story]
        # All at once, one a second: the last waits for longest, whichever that is.
        self.assertTrue(held)
        for story in held:
            self.assertRegex(story, r"held it back, for \S+ m?s in all")
        # What is lost and sent again counts too: on a busy machine one may reach its end in line.
        self.assertTrue(any(re.search(r"Recorded .* ago, when it was refreshed: it was answered", story)
                            for story in held), held)


class Stale(case.DaemonCase):
    config = {"prefetch": {"enabled": False}, "serve-stale": {"answer-after": "200ms"}}

    @case.slow
    def test_stale(self):
        """The old answer is given while the servers are silent."""
        ctl = Ctl(self.net, self.daemon)
        self.net.heal()
        self.ask("ttl2.pair.org")
        for server in "pair-a", "pair-b":
            self.net.servers[server].link.silent = True
        time.sleep(2.2)
        self.assertStatus(self.ask("ttl2.pair.org"), "NOERROR")
        time.sleep(10)
        reply = ctl.json("explain", "ttl2.pair.org")
        story = "\n".join(reply["story"])
        self.assertRegex(reply["summary"] + story, r"expired \d+ s ago|expired")
        self.assertIn("Clients got the old, expired answer instead", story)
        self.assertRegex(story, r"198\.51\.100\.4[01]:53, asked for pair\.org\., did not answer")
