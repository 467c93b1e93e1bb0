"""Validation, as a client sees it."""
import dns.flags

import case


class Secure(case.DaemonCase):
    def test_secure(self):
        """AD on answers and denials of signed zones, whoever signed them; not on the others."""
        for name, rrtype, status, secure in (
                ("www.signed.org", "A", "NOERROR", True),
                ("www.nsec3.org", "A", "NOERROR", True),
                ("www.knot.org", "A", "NOERROR", True),
                ("www.rsa.org", "A", "NOERROR", True),
                ("www.p384.org", "A", "NOERROR", True),
                ("www.signed.com", "A", "NOERROR", True),
                ("www.child.signed.org", "A", "NOERROR", True),
                ("child.signed.org", "DS", "NOERROR", True),
                ("signed.org", "DNSKEY", "NOERROR", True),
                ("chain1.signed.org", "A", "NOERROR", True),
                ("www.dname.signed.org", "A", "NOERROR", True),
                ("any.wild.signed.org", "A", "NOERROR", True),
                ("any.wild.nsec3.org", "A", "NOERROR", True),
                ("any.wild.knot.org", "A", "NOERROR", True),
                ("a.b.c.wild.org", "A", "NOERROR", True),
                ("nosuch.signed.org", "A", "NXDOMAIN", True),
                ("nosuch.nsec3.org", "A", "NXDOMAIN", True),
                ("nosuch.knot.org", "A", "NXDOMAIN", True),
                ("www.signed.org", "MX", "NOERROR", True),
                ("www.nsec3.org", "MX", "NOERROR", True),
                ("www.knot.org", "MX", "NOERROR", True),
                ("empty.nsec3.org", "A", "NOERROR", True),
                ("any.wild.nsec3.org", "MX", "NOERROR", True),
                ("nosuch", "A", "NXDOMAIN", True),
                ("unsigned.org", "DS", "NOERROR", True),
                ("www.unsigned.org", "A", "NOERROR", False),
                ("www.plain.com", "A", "NOERROR", False),
                ("crossing.signed.org", "A", "NOERROR", False),
                ("www.island.unsigned.org", "A", "NOERROR", False),
                ("nosuch.manysteps.org", "A", "NXDOMAIN", False)):
            for temperature in "cold", "warm":
                with self.subTest(f"{name} {rrtype}, {temperature}"):
                    reply = self.ask(name, rrtype, ad=True)
                    self.assertStatus(reply, status)
                    self.assertFlag(reply, "AD", secure)

    def test_opt_out(self):
        """RFC 5155 §9.2: below an opt-out span nothing is proven not to exist."""
        reply = self.ask("nosuch.com", ad=True)
        self.assertEmpty(reply, "NXDOMAIN")
        self.assertFlag(reply, "AD", False)

    def test_flags(self):
        """RFC 6840 §5.7, §5.8: AD if AD or DO was asked for; records for DO only."""
        for do in False, True:
            for ad in False, True:
                with self.subTest(do=do, ad=ad):
                    reply = self.ask("www.signed.org", do=do, ad=ad)
                    self.assertFlag(reply, "AD", do or ad)
                    self.assertEqual("RRSIG" in case.types(reply.answer), do)
                    self.assertEqual(bool(reply.ednsflags & dns.flags.DO), do)
                    reply = self.ask("nosuch.signed.org", do=do, ad=ad)
                    self.assertEqual("NSEC" in case.types(reply.authority), do)

    def test_proofs(self):
        """RFC 4035 §3.1.3: a DO client gets what proves it."""
        for name, status, kind in (("any.wild.signed.org", "NOERROR", "NSEC"),
                                   ("any.wild.nsec3.org", "NOERROR", "NSEC3"),
                                   ("nosuch.nsec3.org", "NXDOMAIN", "NSEC3"),
                                   ("nosuch.knot.org", "NXDOMAIN", "NSEC")):
            for temperature in "cold", "warm":
                with self.subTest(f"{name}, {temperature}"):
                    reply = self.ask(name, do=True, tcp=True)
                    self.assertStatus(reply, status)
                    self.assertLessEqual({kind, "RRSIG"}, case.types(reply.authority))

    def test_checking_disabled(self):
        """RFC 4035 §3.2.2: CD=1 gets the data of good and bad zones, CD echoed, no AD on bad."""
        for order in (False, True), (True, False):
            name = "www.badsig.org" if order[0] else "www.nosig.org"
            for cd in order:
                reply = self.ask(name, cd=cd, do=True)
                self.assertFlag(reply, "CD", cd)
                self.assertFlag(reply, "AD", False)
                if cd:
                    self.assertData(reply, "198.18.1.1")
                else:
                    self.assertData(reply, status="SERVFAIL")

    def test_reused_proofs(self):
        """RFC 8198: a gap that is known answers for every name in it."""
        self.ask("nosuch1.signed.org")      # between n999 and ns1
        self.net.clear_queries()
        for name in "nosuch2", "nosuch3", "north", "a.b.c.north":
            self.assertEmpty(self.ask(f"{name}.signed.org"), "NXDOMAIN")
        self.assertEqual(self.net.queries(), [])


class FirstQuestions(case.FreshCase):
    def test_root_keys_and_servers(self):
        """RFC 9609: priming needs the root's keys. They do not wait for it in turn."""
        for types in (("DNSKEY", "NS"), ("NS", "DNSKEY")):
            self.daemon = self.net.resolver({"workers": 1}).start()
            replies = self.ask_all([self.query(".", t, do=True) for t in types], 5)
            self.assertEqual(self.daemon.stop(), 0)
            self.assertEqual(len(replies), 2)
            for reply in replies:
                self.assertStatus(reply, "NOERROR")
                self.assertFlag(reply, "AD")


class Bogus(case.DaemonCase):
    def test_bogus(self):
        """SERVFAIL, no data, and an EDE (RFC 8914) whose text names the zone."""
        for zone, *codes in (("expired.org", 7), ("future.org", 8), ("wrongds.org", 6, 9),
                             ("stripped.org", 9, 10), ("nosig.org", 10), ("badsig.org", 6)):
            for how in "cold", "warm", "over TCP":
                with self.subTest(f"{zone}, {how}"):
                    reply = self.ask(f"www.{zone}", tcp=how == "over TCP", do=how == "warm")
                    self.assertData(reply, status="SERVFAIL")
                    self.assertFlag(reply, "AD", False)
                    self.assertEde(reply, *codes)
                    self.assertIn(zone, " ".join(o.text or "" for o in case.edes(reply)))

    def test_denial_missing(self):
        for name in "nosuch.nodenial.org", "www.nodenial.org":
            reply = self.ask(name, "MX")
            self.assertData(reply, status="SERVFAIL")
            self.assertEde(reply, 6, 9, 10, 12)

    def test_good_names_of_bad_zones(self):
        """Only what is bogus is refused."""
        self.assertData(self.ask("mail.badsig.org", "MX"), "10 www.badsig.org.")
        self.assertData(self.ask("text.nosig.org", "TXT"), '"hello" "world"')


class NegativeAnchor(case.DaemonCase):
    """RFC 7646."""

    @classmethod
    def setUpClass(cls):
        cls.config = {"dnssec": {"trust-anchors": case.NET.trust_anchors,
                                 "negative-trust-anchors": ["expired.org."]}}
        super().setUpClass()

    def test_anchor(self):
        reply = self.ask("www.expired.org", ad=True)
        self.assertData(reply, "198.18.1.1")
        self.assertFlag(reply, "AD", False)
        self.assertFlag(self.ask("www.signed.org", ad=True), "AD", True)
        self.assertStatus(self.ask("www.badsig.org"), "SERVFAIL")


class Off(case.DaemonCase):
    config = {"dnssec": {"enabled": False}}

    def test_off(self):
        for zone in "signed.org", "expired.org":
            reply = self.ask(f"www.{zone}", do=True)
            self.assertData(reply, "198.18.1.1")
            self.assertFlag(reply, "AD", False)


class WrongAnchor(case.DaemonCase):
    """The configured anchor does not fit the root: nothing signed can be trusted."""
    config = {"dnssec": {"trust-anchors": [". DS 12345 8 2 " + "AB" * 32]}}

    def test_bogus(self):
        reply = self.ask("www.signed.org")
        self.assertData(reply, status="SERVFAIL")
        self.assertEde(reply, 6, 9, 10)
