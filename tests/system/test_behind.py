"""Validators behind us, which ask nobody else: Unbound, delv and systemd-resolved find what there is to be
found, each by the questions that it has a habit of asking (RFC 4035 §3.1.4.1, RFC 6840 §5.9)."""
import contextlib
import os
import subprocess

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype
import dns.rrset

import case
import resolved
from wire import BACKEND_PORT

SECURE = ["signed.org", "nsec3.org", "knot.org", "rsa.org", "p384.org", "signed.com", "rolling.org",
          "child.signed.org"]
INSECURE = ["plain.com", "insecure.com", "unsigned.org", "island.unsigned.org", "glueless.org"]
# Below each of them: name, type, data, or that there is no such name.
BELOW = [("www", "A", ["198.18.1.1"]), ("www", "MX", []), ("nx", "A", "NXDOMAIN"),
         ("chain1", "A", ["198.18.1.1"]), ("x.wild", "A", ["198.18.3.1"]), ("x.wild", "MX", []),
         ("empty", "A", [])]
BOGUS = [("www.expired.org", "A"), ("www.future.org", "A"), ("www.wrongds.org", "A"),
         ("www.stripped.org", "A"), ("www.badsig.org", "A"), ("alias.badsig.org", "A"),
         ("nx.nodenial.org", "A"), ("www.nosig.org", "A")]
OTHERS = [("www.dname.signed.org", "A", "secure", ["198.18.4.1"]),
          ("nx.dname.signed.org", "A", "secure", "NXDOMAIN"),
          ("crossing.signed.org", "A", "insecure", ["198.18.1.1"]),
          ("odd.signed.org", "TYPE65400", "secure", ["\\# 3 010203"]),
          ("exists.wild.org", "A", "secure", ["198.18.5.2"]),
          ("nx.wild.org", "A", "secure", ["198.18.5.1"]),
          ("www.manysteps.org", "A", "secure", ["198.18.1.1"]),
          ("www.nodenial.org", "A", "secure", ["198.18.1.1"]),
          ("com", "A", "secure", []),
          ("1.1.18.198.in-addr.arpa", "PTR", "insecure", ["www.signed.org."]),
          ("crowd.big.org", "A", "insecure", sorted(f"198.18.7.{i}" for i in range(1, 101)))]


def everything():
    """(name, type, verdict, data) of the lab. What is bogus goes first: nobody may lose by that the faith
    in what comes after it."""
    yield from ((name, rrtype, "bogus", None) for name, rrtype in BOGUS)
    for verdict, zones in ("secure", SECURE), ("insecure", INSECURE):
        for zone in zones:
            yield from ((f"{label}.{zone}", rrtype, verdict, told) for label, rrtype, told in BELOW)
    yield from OTHERS


class Behind:
    """The tests, for each validator. What stands in OWN goes wrong behind any resolver: why."""
    OWN = {}
    NAMES = {"unsigned.org.", "plain.com.", "signed.org.", "child.signed.org.", "nsec3.org."}

    def validator(self, daemon):
        """A context manager with FIND(name, type): (verdict, data) through DAEMON."""
        raise NotImplementedError

    def check(self, wanted):
        daemon = self.net.resolver({"workers": 1}).start()
        try:
            with self.validator(daemon) as find:
                for name, rrtype, verdict, told in wanted:
                    if name not in self.OWN:
                        with self.subTest(f"{name} {rrtype}"):
                            self.assertEqual(find(name, rrtype), (verdict, told))
        finally:
            self.assertEqual(daemon.stop(), 0)

    def edit_ds(self, edit):
        """All servers of the lab answer questions for DS of NAMES with what EDIT makes of the reply."""
        def edited(link, packet):
            reply = dns.message.from_wire(packet)
            asked = reply.question[0]
            if asked.rdtype != dns.rdatatype.DS or asked.name.to_text().lower() not in self.NAMES:
                return packet
            edit(link, reply, asked.name)
            return reply.to_wire()
        for server in self.net.servers.values():
            server.link.edit = lambda packet, link=server.link: edited(link, packet)
        self.addCleanup(self.net.heal)

    def refer(self, link, reply, name):
        """As for all else below the cut."""
        below = dns.message.make_query(name, "A", want_dnssec=True)
        told = dns.query.udp(below, link.addresses[0], 2, port=BACKEND_PORT)
        if "NS" in case.types(told.authority):
            reply.answer, reply.authority, reply.additional = [], told.authority, told.additional
            reply.flags &= ~dns.flags.AA

    def alias(self, _, reply, name):
        """As the zone below does for all types."""
        reply.answer = [dns.rrset.from_text(name, 300, "IN", "CNAME", "www.rsa.org.")]
        reply.authority = []

    def of(self, secure, insecure):
        for verdict, zones in ("insecure", insecure), ("secure", secure):
            for zone in zones:
                yield f"www.{zone}", "A", verdict, ["198.18.1.1"]
                yield f"nx.{zone}", "A", verdict, "NXDOMAIN"

    def test_everything(self):
        """What is secure is told with AD, what is insecure without, what is bogus is not told."""
        self.check(everything())

    def test_referrals(self):
        """DS, or the proof that there is none, is told by a referral only."""
        self.edit_ds(self.refer)
        self.check(self.of(["signed.org", "child.signed.org", "nsec3.org"], ["unsigned.org", "plain.com"]))

    def test_aliases(self):
        """All that is told of DS is the alias of the zone below; the referral had the proof."""
        self.edit_ds(self.alias)
        self.check(self.of(["signed.org", "nsec3.org"], ["unsigned.org", "plain.com"]))


class Asked(Behind):
    """One that is asked over DNS."""

    def found(self, address, name, rrtype):
        reply = self.ask(name, rrtype, address=address, ad=True, timeout=10)
        if reply.flags & dns.flags.TC:
            reply = self.ask(name, rrtype, address=address, ad=True, tcp=True, timeout=10)
        if reply.rcode() == dns.rcode.SERVFAIL:
            return "bogus", None
        verdict = "secure" if reply.flags & dns.flags.AD else "insecure"
        if reply.rcode() != dns.rcode.NOERROR:
            return verdict, dns.rcode.to_text(reply.rcode())
        wanted = dns.rdatatype.from_text(rrtype)
        return verdict, sorted(rdata.to_text() for rrset in reply.answer
                               if rrset.rdtype == wanted for rdata in rrset)


class BehindUnbound(Asked, case.FreshCase):
    @contextlib.contextmanager
    def validator(self, daemon):
        unbound = self.net.resolver(kind="unbound", address="127.0.0.2", extra=(
            "forward-zone:", '  name: "."', f"  forward-addr: {daemon.address}")).start()
        try:
            yield lambda name, rrtype: self.found(unbound.address, name, rrtype)
        finally:
            unbound.stop()


class BehindResolved(Asked, case.FreshCase):
    # Denials of manysteps.org nobody is asked for: what 150 NSEC3 iterations are worth depends on the
    # version of each, and this one takes them for bogus (RFC 9276 §3.2).
    OWN = {"www.nosig.org": "what has no signatures it takes for a zone of its own that is insecure",
           "com": "it asks nobody for a single label (ResolveUnicastSingleLabel=)"}

    def setUp(self):
        if not resolved.command(self.net.build):
            print("skipped: " + resolved.MISSING)
            self.skipTest(resolved.MISSING)
        super().setUp()

    @contextlib.contextmanager
    def validator(self, daemon):
        with resolved.Resolved(self.net, daemon.address) as behind:
            yield lambda name, rrtype: self.found(behind.address, name, rrtype)


class BehindDelv(Behind, case.FreshCase):
    """named's own validator, which asks for every link of the chain itself, and all of them for each name."""
    test_everything = case.slow(Behind.test_everything)

    @contextlib.contextmanager
    def validator(self, daemon):
        anchors = os.path.join(self.net.dir, "delv.anchors")
        with open(anchors, "w") as out:
            for anchor in self.net.trust_anchors:
                tag, algorithm, kind, digest = anchor.split(None, 2)[2].split()
                out.write(f'trust-anchors {{ "." static-ds {tag} {algorithm} {kind} "{digest}"; }};\n')
        yield lambda name, rrtype: self.found(
            ["delv", f"@{daemon.address}", "-a", anchors, "+root=.", name, rrtype], rrtype)

    def found(self, command, rrtype):
        said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              timeout=30, check=False).stdout
        if "resolution failed: failure" in said:
            return "bogus", None
        # An alias may be secure, and what it leads to not.
        verdict = "insecure" if "unsigned answer" in said else \
            "secure" if "fully validated" in said else said
        if "ncache nxdomain" in said:
            return verdict, "NXDOMAIN"
        records = [line.split(None, 4) for line in said.splitlines() if line and line[0] != ";"]
        return verdict, sorted(record[4] for record in records if record[3] == rrtype)
