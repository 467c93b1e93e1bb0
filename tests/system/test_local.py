"""Names that are answered without asking anybody."""
import case


class SpecialNames(case.DaemonCase):
    def test_localhost(self):
        """RFC 6761 §6.3."""
        for name in "localhost", "LocalHost", "www.localhost":
            self.assertData(self.ask(name), "127.0.0.1")
            self.assertData(self.ask(name, "AAAA"), "::1")
        self.assertEmpty(self.ask("localhost", "MX"), "NOERROR")

    def test_do_not_exist(self):
        for law, name in (
                ("RFC 6761 §6.2", "www.test"),
                ("RFC 6761 §6.4", "www.invalid"), ("RFC 7686 §2", "example.onion"),
                ("RFC 8375 §4", "printer.home.arpa"),
                ("RFC 6303 §4.1", "1.1.168.192.in-addr.arpa"),
                ("RFC 6303 §4.1", "3.2.1.10.in-addr.arpa"),
                ("RFC 6303 §4.1", "1.1.31.172.in-addr.arpa"),
                ("RFC 6303 §4.2", "1.1.254.169.in-addr.arpa"),
                ("RFC 6303 §4.2", "1.2.0.192.in-addr.arpa"),
                ("RFC 6303 §4.4", "1.d.f.ip6.arpa"),
                ("RFC 6303 §4.5", "1.8.e.f.ip6.arpa")):
            with self.subTest(f"{law}: {name}"):
                self.assertEmpty(self.ask(name, "PTR" if "arpa" in name else "A"), "NXDOMAIN")
                self.assertEqual(self.net.queries(name + "."), [])

    def test_resolver_arpa(self):
        """RFC 9462 §6.4: NODATA, not NXDOMAIN."""
        self.assertEmpty(self.ask("_dns.resolver.arpa", "SVCB"), "NOERROR")

    def test_zone_apexes(self):
        """RFC 6303 §3: empty zones have an SOA and an NS."""
        for name in "168.192.in-addr.arpa", "10.in-addr.arpa", "d.f.ip6.arpa", "home.arpa":
            with self.subTest(name):
                self.assertIn("SOA", case.types(self.ask(name, "SOA").answer))
                self.assertIn("NS", case.types(self.ask(name, "NS").answer))

    def test_neighbours(self):
        """What is beside a special zone is resolved as usual."""
        self.assertData(self.ask("1.1.18.198.in-addr.arpa", "PTR"), "www.signed.org.")


class LocalZones(case.DaemonCase):
    config = {"local-zones": [
        {"name": "printer.test.", "action": "static", "records": [
            "printer.test. 60 A 10.1.2.3", "printer.test. 60 A 10.1.2.4",
            "alias.printer.test. 60 CNAME printer.test."]},
        {"name": "ads.plain.com.", "action": "refuse"},
        {"name": "plain.com.", "action": "transparent", "records": ["www.plain.com. 60 A 10.1.2.9"]},
    ]}

    def test_static(self):
        self.assertData(self.ask("printer.test"), "10.1.2.3", "10.1.2.4")
        self.assertEmpty(self.ask("printer.test", "AAAA"), "NOERROR")
        self.assertEmpty(self.ask("x.printer.test"), "NXDOMAIN")
        self.assertIn("printer.test.", case.data(self.ask("alias.printer.test")))

    def test_refuse(self):
        reply = self.ask("tracker.ads.plain.com")
        self.assertData(reply, status="REFUSED")
        self.assertEde(reply, 15)

    def test_transparent(self):
        self.assertData(self.ask("www.plain.com"), "10.1.2.9")
        self.assertEqual(len(case.data(self.ask("pool.plain.com"))), 3)
