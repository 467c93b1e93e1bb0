"""Messages, flags, EDNS: what a client may send and what it gets."""
import dns.edns
import dns.query
import dns.rdatatype

import case
from case import header, option

QUESTION = b"\x03www\x06signed\x03org\x00\x00\x01\x00\x01"
OPT = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"


def opt(options):
    return OPT[:-2] + len(options).to_bytes(2, "big") + options


class Messages(case.DaemonCase):
    def rcode(self, packet):
        """The header's rcode of the reply to raw bytes; None without a reply."""
        reply = self.raw(packet)
        if reply is None:
            return None
        self.assertEqual(reply[:2], packet[:2], "the id is echoed")
        self.assertTrue(reply[2] & 0x80, "QR is set")
        return reply[3] & 15

    def test_answer(self):
        """RFC 1035 §4.1.1: flags of a reply; the question as it was asked."""
        reply = self.ask("wWw.SiGned.oRg")
        self.assertData(reply, "198.18.1.1")
        self.assertEqual(reply.question[0].name.to_text(), "wWw.SiGned.oRg.")
        for flag, wanted in ("QR", True), ("RA", True), ("RD", True), ("AA", False), ("TC", False):
            self.assertFlag(reply, flag, wanted)

    def test_ipv4_and_ipv6_types(self):
        """Types known and unknown are carried as they are (RFC 3597)."""
        for rrtype, wanted in (("AAAA", "2001:db8:80::1"), ("MX", None), ("SRV", None),
                               ("TYPE65400", "\\# 3 010203"), ("TXT", None)):
            owner = {"MX": "mail", "SRV": "srv", "TYPE65400": "odd", "TXT": "text"}.get(rrtype, "www")
            reply = self.ask(f"{owner}.signed.org", rrtype)
            self.assertEqual(len(case.data(reply)), 1, reply.to_text())
            if wanted:
                self.assertData(reply, wanted)

    def test_form_errors(self):
        """What is not a query is a FORMERR or nothing, never silence for the next one."""
        formerr = [
            ("no question", header(qd=0)),
            ("two questions", header(qd=2) + QUESTION + QUESTION),
            ("question missing", header()),
            ("question cut", header() + QUESTION[:-3]),
            ("label runs over the end", header() + b"\x3fabc"),
            ("pointer to itself", header() + b"\xc0\x0c\x00\x01\x00\x01"),
            ("reserved label type", header() + b"\x80abc\x00\x00\x01\x00\x01"),
            ("name too long", header() + b"\x3f" + b"a" * 63 + (b"\x3f" + b"b" * 63) * 4 +
             b"\x00\x00\x01\x00\x01"),
            ("answer in a query", header(an=1) + QUESTION),
            ("OPT announced, missing", header(ar=1) + QUESTION),
            ("two OPTs, RFC 6891 §6.1.1", header(ar=2) + QUESTION + OPT + OPT),
            ("OPT with a name, RFC 6891 §6.1.2", header(ar=1) + QUESTION + b"\x01x" + OPT),
            ("option runs over OPT", header(ar=1) + QUESTION + opt(b"\x00\x0a\x00\x20abc")),
            ("client cookie of 5 bytes, RFC 7873 §5.2.2",
             header(ar=1) + QUESTION + opt(b"\x00\x0a\x00\x05abcde")),
        ]
        for why, packet in formerr:
            with self.subTest(why):
                self.assertIn(self.rcode(packet), (1, None))
        with self.subTest("these must be told"):
            self.assertEqual(self.rcode(formerr[10][1]), 1)
            self.assertEqual(self.rcode(formerr[13][1]), 1)

    def test_no_reply(self):
        """Replies are never replied to; a packet without a whole header has no id to reply with."""
        for packet in b"", b"\x12", b"\x12\x34\x01\x00\x00\x01", header(flags=0x8100) + QUESTION:
            self.assertIsNone(self.raw(packet, 0.15), packet)

    def test_garbage(self):
        """1000 random packets, then all is as before."""
        for i in range(1000):
            packet = case.random_bytes(i % 97) if i % 2 else header(ar=1) + case.random_bytes(i % 61)
            self.raw(packet, 0.0001)
        self.assertData(self.ask("www.signed.org"), "198.18.1.1")

    def test_opcodes(self):
        """RFC 1035 §4.1.1: what is not QUERY is NOTIMP."""
        for opcode in (1, 2, 4, 5, 6, 9, 15):
            with self.subTest(opcode=opcode):
                packet = header(flags=opcode << 11) + QUESTION
                reply = self.raw(packet)
                self.assertEqual((reply[2] >> 3 & 15, reply[3] & 15), (opcode, 4))

    def test_classes_and_meta_types(self):
        """Other classes, transfers and meta types are refused in one way or another."""
        for why, words in (("class HS", dict(rdclass="HS")), ("class ANY", dict(rdclass="ANY")),
                           ("CHAOS", dict(rdclass="CH")), ("AXFR", dict(rrtype="AXFR")),
                           ("IXFR", dict(rrtype="IXFR")), ("OPT", dict(rrtype="OPT")),
                           ("TSIG", dict(rrtype="TSIG")), ("MAILB", dict(rrtype="MAILB"))):
            with self.subTest(why):
                rrtype = words.pop("rrtype", "A")
                message = self.query("www.signed.org", "A", **words)
                if rrtype != "A":
                    message.question[0].rdtype = dns.rdatatype.from_text(rrtype)
                reply = self.raw(message.to_wire())
                self.assertIsNotNone(reply, "no reply")
                self.assertIn(reply[3] & 15, (1, 4, 5))
        self.assertEqual(self.net.queries("www.signed.org."), [])

    def test_any(self):
        """RFC 8482: ANY is answered with something small."""
        for tcp in False, True:
            reply = self.ask("www.signed.org", "ANY", tcp=tcp)
            self.assertStatus(reply, "NOERROR")
            self.assertEqual(case.types(reply.answer) - {"RRSIG"}, {"HINFO"}, reply.to_text())

    def test_recursion_not_desired(self):
        """RD=0: from the cache only, and nobody is asked; an empty answer would be a denial."""
        reply = self.ask("n1.signed.org", rd=False)
        self.assertStatus(reply, "REFUSED")
        self.assertEqual(case.data(reply), [])
        self.assertEqual(self.net.queries("n1.signed.org."), [])
        self.ask("n1.signed.org")
        reply = self.ask("n1.signed.org", rd=False)
        self.assertData(reply, "198.18.0.2")
        self.assertFlag(reply, "RD", False)

    def test_root_ns(self):
        """CoreDNS's health check, answered from memory once primed."""
        self.ask(".", "NS")
        self.net.clear_queries()
        self.assertData(self.ask(".", "NS"), "a.root-servers.net.", "b.root-servers.net.")
        self.assertEqual(self.net.queries(), [])

    def test_rotation(self):
        """Address sets are rotated answer by answer; each is whole."""
        for rounds in "miss and hits", "hits":
            firsts = set()
            for _ in range(30):
                answer = case.data(self.ask("pool.signed.org"))
                self.assertEqual(sorted(answer), ["198.18.2.1", "198.18.2.2", "198.18.2.3"])
                firsts.add(answer[0])
            self.assertEqual(len(firsts), 3, rounds)


class Edns(case.DaemonCase):
    def test_sizes(self):
        """RFC 6891 §6.2.3, and at most 1232 bytes: what does not fit is TC, and whole over TCP."""
        for why, name, words, limit, whole in (
                ("no EDNS", "medium", dict(edns=False), 512, False),
                ("100 counts as 512", "medium", dict(payload=100), 512, False),
                ("1232 suffices", "medium", dict(payload=1232), 1232, True),
                ("1232 does not", "big", dict(payload=1232), 1232, False),
                ("4096 is capped", "big", dict(payload=4096), 1232, False),
                ("65535 is capped", "huge", dict(payload=65535), 1232, False)):
            for temperature in "cold", "warm":
                with self.subTest(f"{why}, {temperature}"):
                    reply = self.raw(self.query(f"{name}.big.org", "TXT", **words).to_wire(), 3)
                    self.assertLessEqual(len(reply), limit)
                    self.assertEqual(not reply[2] & 2, whole, "TC")
        for name, count in ("medium", 6), ("big", 15), ("huge", 150):
            self.assertEqual(len(case.data(self.ask(f"{name}.big.org", "TXT", tcp=True))), count)

    def test_version(self):
        """RFC 6891 §6.1.3: BADVERS with our version."""
        message = self.query("www.signed.org")
        message.use_edns(1)
        reply = dns.query.udp(message, self.daemon.address, 3)
        self.assertEqual((reply.rcode(), reply.edns), (16, 0))
        self.assertEqual(case.data(reply), [])

    def test_presence(self):
        """RFC 6891 §6.1.1: OPT in a reply exactly if it was in the query."""
        self.assertEqual(self.ask("www.signed.org").edns, 0)
        self.assertEqual(self.ask("www.signed.org", edns=False).edns, -1)
        self.assertEqual(self.ask("www.expired.org", edns=False).edns, -1)

    def test_unknown_options(self):
        """RFC 6891 §6.1.2: unknown options are ignored and not echoed."""
        reply = self.ask("www.signed.org", options=[dns.edns.GenericOption(65001, b"x" * 20)])
        self.assertData(reply, "198.18.1.1")
        self.assertIsNone(option(reply, 65001))

    def test_cookies(self):
        """RFC 7873, RFC 9018: a server cookie comes back, is good again, and a bad one is no harm."""
        client = b"12345678"

        def cookie(value, tcp=False):
            reply = self.ask("www.signed.org", tcp=tcp, options=[dns.edns.GenericOption(10, value)])
            return reply, option(reply, 10)

        reply, full = cookie(client)
        self.assertStatus(reply, "NOERROR")
        self.assertEqual((len(full), full[:8]), (24, client))
        self.assertEqual(full[8:12], b"\x01\x00\x00\x00", "RFC 9018 §4.2: version 1, reserved 0")
        reply, again = cookie(full)
        self.assertStatus(reply, "NOERROR")
        self.assertEqual(again[:8], client)
        for bad in full[:-1] + bytes([full[-1] ^ 1]), b"87654321" + full[8:], client + b"s" * 32:
            reply, fresh = cookie(bad)
            self.assertIn(reply.rcode(), (0, 23))
            self.assertEqual((len(fresh), fresh[:8]), (24, bad[:8]))
        self.assertStatus(cookie(client + b"s" * 16, tcp=True)[0], "NOERROR")

    def test_keepalive_not_over_udp(self):
        """RFC 7828 §3.2.1: not in UDP replies."""
        reply = self.ask("www.signed.org", options=[dns.edns.GenericOption(11, b"")])
        self.assertIsNone(option(reply, 11))


class Access(case.DaemonCase):
    config = {"access": {"allow": ["loopback", "private"]},
              "listen": ["127.0.0.1:53", "192.0.2.53:53", "10.9.9.9:53", "[2001:db8:2::53]:53"]}

    def test_allowed(self):
        for address in "127.0.0.1", "10.9.9.9":
            self.assertData(self.ask("www.signed.org", address=address, source=address), "198.18.1.1")

    def test_refused(self):
        """REFUSED with EDE 18 for a stranger, over UDP and TCP, with a warm cache too."""
        for address, source in ("192.0.2.53", "192.0.2.1"), ("2001:db8:2::53", "2001:db8:2::1"):
            for tcp in False, True:
                reply = self.ask("www.signed.org", address=address, source=source, tcp=tcp)
                self.assertData(reply, status="REFUSED")
                self.assertEde(reply, 18)


class Identity(case.DaemonCase):
    config = {"identity": "node-7", "version": "none of your business"}

    def test_chaos(self):
        """RFC 4892: as configured."""
        for name, text in (("id.server", "node-7"), ("hostname.bind", "node-7"),
                           ("version.bind", "none of your business"),
                           ("version.server", "none of your business")):
            reply = self.ask(name, "TXT", rdclass="CH")
            self.assertEqual(case.data(reply), [f'"{text}"'], reply.to_text())

    def test_nsid(self):
        """RFC 5001: only if asked for."""
        asked = self.ask("www.signed.org", options=[dns.edns.GenericOption(3, b"")])
        self.assertEqual(option(asked, 3), b"node-7")
        self.assertIsNone(option(self.ask("www.signed.org"), 3))
