"""The same random questions to resolverd, Unbound and BIND: do they agree?"""
import random

import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

import case

QUESTIONS = 3000
TYPES = ["A", "AAAA", "MX", "TXT", "SRV", "NS", "SOA", "DS", "DNSKEY", "CNAME", "PTR", "TYPE65400"]
LABELS = ["www", "pool", "alias", "chain1", "text", "ttl5", "x.wild", "a.b.wild", "wild", "empty",
          "deep.empty", "below.www", "mail", "srv", "odd", "nosuch", "a.nosuch", "zz", "00", "*.wild",
          "www.dname", "dname", "crossing", "www.child", "nosuch.child", "child", "n7", "n8888",
          "ns1", "_tcp", "exists", "nsec", "-"]
# These are not asked for: all servers are dead, an alias loop, replies of 36 kB.
AVOIDED = ("dead.org.", "halfdead.org.", "stub.internal.", "big.org.", "root-servers.net.")

# Zones where the resolvers differ by design, and how.
EXPLAINED = {
    # RFC 9276: resolverd and BIND 9.18+ draw the line at other iteration counts.
    "manysteps.org.": "NSEC3 iterations",
}


def questions(zones, rng):
    names = [z.name for z in zones if z.name not in AVOIDED]
    for _ in range(QUESTIONS):
        zone = rng.choice(names)
        label = rng.choice(LABELS + [""] * 4)
        name = f"{label}.{zone}".replace("..", ".") if label else zone
        yield name if name != "" else ".", rng.choice(TYPES), rng.random() < 0.2, zone


class ThreeWay(case.DaemonCase):
    config = {"prefetch": {"enabled": False}, "serve-stale": {"enabled": False}}
    options = {"address": "127.0.0.1"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        net = case.NET
        net.add_addresses(["127.0.0.51", "127.0.0.52"])
        cls.peers = {kind: net.resolver(kind=kind, address=address).start()
                     for kind, address in (("unbound", "127.0.0.51"), ("bind", "127.0.0.52"))}

    @classmethod
    def tearDownClass(cls):
        for peer in cls.peers.values():
            peer.stop()
        super().tearDownClass()

    def outcome(self, address, name, rrtype, cd):
        """What a client can tell of a reply: status, AD, and the answer without TTLs and order."""
        message = dns.message.make_query(name, rrtype, want_dnssec=True, payload=1232)
        if cd:
            message.flags |= dns.flags.CD
        try:
            reply = dns.query.tcp(message, address, 8)
        except Exception as error:      # no reply at all is an outcome too
            return type(error).__name__, False, ()
        answer = sorted(f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} {rdata}".lower()
                        for rrset in reply.answer if rrset.rdtype != dns.rdatatype.RRSIG
                        for rdata in rrset)
        # A client that sets CD checks for itself (RFC 4035 §3.2.2); some resolvers tell it AD as well.
        secure = bool(reply.flags & dns.flags.AD) and not cd
        return dns.rcode.to_text(reply.rcode()), secure, tuple(answer)

    @case.slow
    def test_agree(self):
        """Status, AD and answer are those of Unbound or BIND wherever these two agree."""
        self.net.wire.logging = False
        differences, apart = [], 0
        for name, rrtype, cd, zone in questions(self.net.zones, random.Random(case.SEED)):
            ours = self.outcome(self.daemon.address, name, rrtype, cd)
            theirs = [self.outcome(p.address, name, rrtype, cd) for p in self.peers.values()]
            if ours in theirs and theirs[0] != theirs[1]:
                apart += 1
            elif ours not in theirs and zone not in EXPLAINED:
                differences.append(f"{name} {rrtype}{' CD' * cd}\n  resolverd {ours}\n  " +
                                   "\n  ".join(f"{k} {t}" for k, t in zip(self.peers, theirs)))
        self.net.wire.logging = True
        self.assertEqual(len(differences), 0, f"({apart} more where the peers differ)\n" +
                         "\n".join(differences[:40]))
