"""Both configurations of docs/migrate-unbound.md give the same answers, each with its own resolver."""
import os
import re

import dns.flags
import yaml

import case
from resolvers import ask_quickly
from test_forward import UPSTREAM, ForwardCase

PAGE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "docs",
                    "migrate-unbound.md")
UNBOUND, STRANGER, DENIED = "127.0.0.51", "192.0.2.1", "10.9.9.9"
QUESTIONS = [
    ("www.signed.org", "A"), ("www.signed.org", "AAAA"), ("nosuch.signed.org", "A"),
    ("www.signed.org", "MX"), ("chain1.nsec3.org", "A"), ("www.plain.com", "A"),
    ("nosuch.plain.com", "A"), ("www.badsig.org", "A"), ("www.expired.org", "A"),
    ("db.plain.com", "A"), ("dname.signed.org", "DNAME"), ("www.dname.signed.org", "A"),
    ("x.wild.signed.org", "A"), ("big.big.org", "TXT"),
    # forwarded, stub, local
    ("www.corp.internal", "A"), ("nosuch.corp.internal", "A"), ("n7.corp.internal", "A"),
    ("www.stub.internal", "A"), ("chain1.stub.internal", "A"), ("nosuch.stub.internal", "A"),
    ("printer.office.example", "A"), ("office.example", "TXT"), ("nosuch.office.example", "A"),
    ("printer.office.example", "AAAA"), ("www.ads.example", "A"), ("localhost", "A"),
    ("1.1.18.198.in-addr.arpa", "PTR"), ("1.0.0.10.in-addr.arpa", "PTR"), (".", "NS"),
]


def block(kind):
    with open(PAGE) as page:
        return re.search(rf"(?ms)^```{kind}\n(.*?)^```$", page.read()).group(1)


class Migration(ForwardCase):
    """Of each, only where it stands and what makes the lab its internet is other than in the page."""
    config = {key: value for key, value in yaml.safe_load(block("yaml")).items()
              if key not in ("listen", "workers")}

    @classmethod
    def setUpClass(cls):
        net = case.NET
        cls.config["dnssec"]["trust-anchors"] = net.trust_anchors
        super().setUpClass()
        cls.peer_dir = os.path.join(net.dir, "migration")
        os.mkdir(cls.peer_dir)
        lines = [line for line in block("unbound").splitlines()
                 if not re.match(r"\s*(interface|num-threads|control-enable):", line)]
        own = ['username: ""', 'chroot: ""', f"directory: {cls.peer_dir}", 'pidfile: ""',
               "use-syslog: no", f"interface: {UNBOUND}", f"root-hints: {net.hints}"]
        own += [f'trust-anchor: "{anchor}"' for anchor in net.trust_anchors]
        lines[1:1] = ["    " + line for line in own]
        config = os.path.join(cls.peer_dir, "unbound.conf")
        with open(config, "w") as out:
            out.write("\n".join(lines) + "\n")
        cls.peer = net.spawn(["unbound", "-d", "-c", config], os.path.join(cls.peer_dir, "log"))
        net.wait_for(UNBOUND, 53, "signed.org", "migration")

    @classmethod
    def tearDownClass(cls):
        cls.net.end(cls.peer)
        super().tearDownClass()

    def answer(self, name, rrtype, **words):
        """What counts for a client: status, data, and whether it is said to be validated."""
        reply = self.ask(name, rrtype, tcp=True, do=True, **words)
        return (reply.rcode(), sorted(case.data(reply)), bool(reply.flags & dns.flags.AD))

    def test_same_answers(self):
        for name, rrtype in QUESTIONS:
            with self.subTest(name=name, rrtype=rrtype):
                self.assertEqual(self.answer(name, rrtype), self.answer(name, rrtype, address=UNBOUND))

    def test_same_clients(self):
        for source in STRANGER, DENIED:
            for address in self.daemon.address, UNBOUND:
                reply = self.ask("www.signed.org", source=source, address=address)
                self.assertStatus(reply, "REFUSED")
        self.assertIsNotNone(ask_quickly("www.signed.org", "A", UNBOUND, 53))

    def test_the_upstream_is_asked(self):
        self.ask("n9.corp.internal")
        self.assertEqual({q.server for q in self.net.queries("n9.corp.internal.")}, {"forward"})
        self.assertEqual(self.config["forward-zones"][0]["servers"], [UPSTREAM])
