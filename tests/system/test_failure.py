"""Servers that are slow, dead, lame or lie, and how soon all is well again."""
import time

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

import case
from control import Ctl

PATIENCE_S = 1.8 + 0.1      # the client's budget, and what Python takes

BOGUS = {6, 7, 8, 9, 10, 11, 12}    # EDE (RFC 8914 §4.7 to §4.13)


class KeysOutOfReach(case.DaemonCase):
    """RFC 4033 §5: what cannot be checked, as the keys do not come, is no more bogus than it is secure."""
    config = {"prefetch": {"enabled": False}}

    @case.slow
    def test_stale(self):
        """What was secure is told past its time, and all is well as soon as the keys come."""
        hosts = [self.net.servers[name].link for name in ("host-a", "host-b")]
        self.addCleanup(self.net.heal)
        self.assertFlag(self.ask("ttl5.signed.org", ad=True), "AD")
        for link in hosts:
            link.edit = lambda reply: None if dns.message.from_wire(reply).question[0].rdtype == \
                dns.rdatatype.DNSKEY else reply
        Ctl(self.net, self.daemon).run("cache", "flush", "signed.org", "DNSKEY")
        time.sleep(5.2)
        self.assertStale()
        self.assertData(self.ask("n90.signed.org"), status="SERVFAIL")
        self.until(lambda: self.ask("n90.signed.org", cd=True).answer, 15)      # they were given up
        for _ in range(12):
            self.assertStale()
            time.sleep(0.1)
        self.assertData(self.ask("ttl5.signed.org", cd=True), "198.18.1.5")
        self.net.heal()
        # RFC 9520 §3.2: that they did not come is forgotten, however often they are needed meanwhile.
        names = iter([f"n{i}.signed.org" for i in range(100, 1000)])
        self.until(lambda: self.is_secure(next(names)))
        self.until(lambda: self.is_secure("ttl5.signed.org") and self.is_secure("n90.signed.org"))

    def assertStale(self):
        reply = self.ask("ttl5.signed.org", ad=True)
        self.assertData(reply, "198.18.1.5")
        self.assertEde(reply, 3)

    def is_secure(self, name):
        return "AD" in dns.flags.to_text(self.ask(name, ad=True).flags)


class Failures(case.DaemonCase):
    config = {"prefetch": {"enabled": False}, "serve-stale": {"enabled": False}}

    def setUp(self):
        super().setUp()
        self.net.heal()
        self.first, self.second = self.net.servers["pair-a"], self.net.servers["pair-b"]

    tearDown = setUp

    def cold(self, number, **words):
        return self.timed(f"n{number}.pair.org", **words)

    def lose_edns(self, plain):
        """Of signed.org's servers no reply to a question with EDNS comes through, until PLAIN without it
        have: the list of what came through. A server that lost two packets is asked without, as it
        may drop what it does not know."""
        hosts = [self.net.servers[name].link for name in ("host-a", "host-b")]
        self.net.clear_queries()
        for number in range(100, 400):      # until it is known how quick both are
            self.ask(f"n{number}.signed.org")
            if all(self.net.queries(server=link.name) for link in hosts):
                break
        passed = []

        def edit(reply):
            if len(passed) < plain and dns.message.from_wire(reply).edns >= 0:
                return None
            passed.append(dns.message.from_wire(reply))
            return reply

        for link in hosts:
            link.edit = edit
        return passed

    def test_back_without_edns(self):
        """RFC 4035 §3.2.1: without EDNS no signatures come. If a network comes back just when they
        were not asked for, nothing is bogus for that."""
        for number in 50, 51, 52:
            passed = self.lose_edns(1)
            self.until(lambda: self.is_answered(number))    # a client that asks again if need be
            for first in passed[:1]:
                self.assertEqual(first.edns, -1)
            self.net.heal()

    def is_answered(self, number):
        """With its data, secure; until then it fails for want of replies, and not for bogus data."""
        reply = self.ask(f"n{number}.signed.org", ad=True)
        self.assertFalse(set(case.ede_codes(reply)) & BOGUS, reply.to_text())
        if reply.rcode() == dns.rcode.SERVFAIL:
            return False
        self.assertData(reply, f"198.18.0.{number + 1}")
        self.assertFlag(reply, "AD")
        return True

    def test_only_without_edns(self):
        """Who drops EDNS for a while fails a signed zone for that while, not for that of bogus data."""
        passed = self.lose_edns(1000)
        self.assertData(self.ask("n53.signed.org", ad=True), status="SERVFAIL")
        self.assertTrue(passed)
        self.net.heal()
        self.until(lambda: "AD" in dns.flags.to_text(self.ask("n53.signed.org", ad=True).flags))

    def test_one_silent(self):
        """One of two servers is dead: every question is answered in time, later ones quickly."""
        times = []
        for server in self.first, self.second:
            self.net.heal()
            server.link.silent = True
            for _ in range(10):
                number = len(times)
                reply, took = self.cold(number)
                self.assertData(reply, f"198.18.0.{number + 1}")
                times.append(took)
        self.assertLess(max(times), PATIENCE_S)
        self.assertLess(sorted(times)[len(times) // 2], 0.2)

    def test_one_gone(self):
        """ICMP port unreachable is not waited out."""
        self.first.stop()
        for number in range(30, 36):
            reply, took = self.cold(number)
            self.assertData(reply, f"198.18.0.{number + 1}")
            self.assertLess(took, 1)

    def test_all_silent(self):
        """SERVFAIL with an EDE that says why within the client's patience; then it is remembered;
        then, when the servers are back, they are found back within seconds."""
        self.ask("www.pair.org")
        self.first.link.silent = self.second.link.silent = True
        reply, took = self.cold(40)
        self.assertData(reply, status="SERVFAIL")
        self.assertEde(reply, 22, 23)
        self.assertLess(took, PATIENCE_S)
        self.net.clear_queries()
        reply, took = self.cold(40)
        self.assertData(reply, status="SERVFAIL")
        self.assertLess(took, PATIENCE_S)
        self.net.heal()
        begin = time.monotonic()
        while time.monotonic() < begin + 8:
            if self.ask("n40.pair.org").answer and self.ask("n41.pair.org").answer:
                break
            time.sleep(0.2)
        self.assertLess(time.monotonic() - begin, 5, "back again")

    def test_never_alive(self):
        reply, took = self.timed("www.dead.org")
        self.assertData(reply, status="SERVFAIL")
        self.assertEde(reply, 22, 23)
        self.assertLess(took, PATIENCE_S)
        self.assertLess(len(self.net.queries(server="dead")), 20)

    def test_loss(self):
        """A fifth of all packets is lost each way; still every question is answered."""
        self.ask("www.pair.org")
        self.first.link.loss = self.second.link.loss = 0.2
        for number in range(50, 90):
            reply, took = self.cold(number)
            self.assertData(reply, f"198.18.0.{number + 1}")
            self.assertLess(took, PATIENCE_S)

    def test_lame(self):
        """A server that refuses is passed over."""
        self.ask("www.pair.org")
        for rcode in 5, 2, 1, 4:
            def refuse(reply, rcode=rcode):
                return reply[:2] + b"\x80" + bytes([rcode]) + reply[4:6] + bytes(6) + question(reply)
            self.first.link.edit = refuse
            for number in range(100 + rcode * 4, 104 + rcode * 4):
                reply, took = self.cold(number)
                self.assertData(reply, f"198.18.0.{number + 1}")
                self.assertLess(took, 1)
            self.net.heal()

    def test_wrong_replies_first(self):
        """A reply that does not match is waited out; the right one behind it counts."""
        self.ask("www.pair.org")
        wrong = {
            "another id": lambda r: bytes([r[0] ^ 255]) + r[1:],
            "a query": lambda r: r[:2] + bytes([r[2] & 0x7f]) + r[3:],
            "another question": lambda r: r.replace(b"\x04pair", b"\x04fair"),
            "cut": lambda r: r[:-5],
            "a header": lambda r: r[:12],
        }
        for number, (why, edit) in enumerate(wrong.items()):
            with self.subTest(why):
                for server in self.first, self.second:
                    server.link.edit = lambda reply, edit=edit: [edit(reply), reply]
                reply, took = self.cold(130 + number)
                self.assertData(reply, f"198.18.0.{131 + number}")
                self.assertLess(took, 1.5)
                self.net.heal()


def question(message):
    """The bytes of a message's question."""
    end = message.index(b"\0", 12) + 5
    return message[12:end]
