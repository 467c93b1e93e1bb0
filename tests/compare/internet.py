"""Internets by seed: signed in every way the lab's tools know, whole and broken; and what to ask.

    net = internet.make(7)      # zones for lab.Lab(zones, servers)
    net.kind("www.z3.c.")       # "nsec3>insecure": how its zone and those above it are signed
    net.questions(rng, 40)      # (name, type) pairs

Internet 0 is the lab's own (tests/system/zones.py).
"""
import os
import random
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
import zones as standing
from zones import Zone

SERVERS = {name: server for name, server in standing.SERVERS.items() if name not in ("dead", "six")}
PAIRS = [["aws-a", "aws-b"], ["host-a", "host-b"], ["pair-a", "pair-b"]]
TYPES = ["A"] * 6 + ["AAAA", "MX", "TXT", "NS", "SOA", "DS", "DS", "DNSKEY", "CNAME", "PTR", "TYPE65400"]
LABELS = ["www", "www", "www", "alias", "chain1", "text", "x.wild", "a.b.wild", "wild", "x.cwild",
          "empty", "deep.empty", "below.www", "mail", "nosuch", "a.nosuch", "zz", "00", "*.wild",
          "www.dname", "a.b.dname", "dname", "crossing", "crossing2", "www.outward", "odd"]
HONEST_LABELS = LABELS + ["pool", "ttl5", "srv", "www.child", "nosuch.child", "child", "n7", "n8888",
                          "ns1", "_tcp", "exists", "nsec", "-"]
HONEST_TYPES = TYPES + ["SRV"]
# These are not asked for: all servers are dead, an alias loop, replies of 36 kB.
AVOIDED = ("dead.org.", "halfdead.org.", "stub.internal.", "big.org.", "root-servers.net.")

# How a zone is signed: what lab.py needs for it. Two of three are whole.
SOUND = {
    "nsec": {"sign": "ldns"},
    "nsec-ed25519": {"sign": "ldns", "algorithm": "ED25519"},
    "nsec-p384": {"sign": "ldns", "algorithm": "ECDSAP384SHA384"},
    "nsec-rsa": {"sign": "ldns", "algorithm": "RSASHA256"},
    "nsec3": {"sign": "bind"},
    "nsec3-salted": {"sign": "bind", "nsec3": "AABB -H 5"},
    "optout": {"sign": "bind", "nsec3": "- -A"},
    "unsigned": {},
    "insecure": {"sign": "ldns", "ds": lambda _: []},       # signed, but no DS tells of it
}
INSECURE = ("unsigned", "insecure")     # of these
BROKEN = {
    "expired": {"sign": "ldns", "validity": ("-60d", "-30d")},
    "future": {"sign": "ldns", "validity": ("+30d", "+60d")},
    "wrongds": {"sign": "ldns", "ds": standing.wrong_digest},
    "nodenial": {"sign": "ldns", "spoil": standing.without_types("NSEC")},
    "stripped": {"sign": "ldns", "spoil": standing.without_types("RRSIG", "DNSKEY", "NSEC")},
    "badsig": {"sign": "ldns"},     # its spoil needs the name
}

SITE = """
www         A     198.18.{n}.1
www         AAAA  2001:db8:80::{n}
alias       CNAME www
chain1      CNAME chain2
chain2      CNAME www
mail        MX    10 www
text        TXT   "text of {n}"
odd         TYPE65400 \\# 3 0102{n:02x}
*.wild      A     198.18.{n}.3
*.wild      TXT   "wild of {n}"
*.cwild     CNAME www
deep.empty  A     198.18.{n}.9
dname       DNAME target
www.target  A     198.18.{n}.4
"""


class Internet:
    def __init__(self, zones, servers, kinds, labels, types):
        self.zones, self.servers = zones, servers
        self.kinds, self.labels, self.types = kinds, labels, types
        self.is_made = servers is SERVERS

    def kind(self, name):
        """How the zones from below the root down to NAME's are signed."""
        labels = name.rstrip(".").split(".")
        path = [".".join(labels[i:]) + "." for i in reversed(range(len(labels)))]
        return ">".join(self.kinds[zone] for zone in path if zone in self.kinds) or "root"

    def kinds_of(self, name, truth):
        """The same of NAME and of all names that the true answer leads through."""
        names = [name] + [line.split()[0] for line in (truth.answer if truth else ())
                          if " cname " in line or " a " in line]
        return "; ".join(dict.fromkeys(map(self.kind, names)))

    def is_signed(self, name):
        """Is each zone from the root down to NAME's signed well, and delegated securely?"""
        return self.is_made and not any(part.split("-")[0] in INSECURE for part in self.kind(name).split(">"))

    def questions(self, rng, count):
        names = [zone.name for zone in self.zones if zone.name not in AVOIDED]
        for _ in range(count):
            zone = rng.choice(names)
            label = rng.choice(self.labels + [""] * 3)
            yield f"{label}.{zone}".replace("..", ".").lstrip(".") or ".", rng.choice(self.types)


def standing_internet():
    kinds = {zone.name: zone.name.rstrip(".") for zone in standing.ZONES if zone.name != "."}
    return Internet(standing.ZONES, standing.SERVERS, kinds, HONEST_LABELS, HONEST_TYPES)


def zone_of(rng, kind, name, servers, text):
    options = dict({**SOUND, **BROKEN}[kind])
    if kind == "badsig":
        options["spoil"] = standing.corrupt_signature_of(f"www.{name}")
    return Zone(name, servers, text, **options)


def make(seed):
    if seed == 0:
        return standing_internet()
    rng = random.Random(f"internet {seed}")
    tops = [f"{letter}." for letter in "abc"]
    kinds = {"a.": rng.choice(["nsec", "nsec-ed25519", "nsec-rsa"]), "b.": rng.choice(["nsec3", "nsec3-salted"]),
             "c.": rng.choice(["optout", "optout", "unsigned"])}
    for i in range(12):
        kind = rng.choice(list(BROKEN)) if rng.random() < 0.2 else rng.choice(list(SOUND))
        kinds[f"z{i}.{rng.choice(tops)}"] = kind
    leaves = [name for name in kinds if name not in tops]
    for name in rng.sample(leaves, 5):
        kinds[f"sub.{name}"] = rng.choice(list(SOUND))
    zones = [
        Zone(".", standing.ROOT, sign="ldns", ns=["a.root-servers.net.", "b.root-servers.net."]),
        Zone("root-servers.net.", standing.ROOT, ns=["a.root-servers.net.", "b.root-servers.net."]),
    ]
    for n, (name, kind) in enumerate(kinds.items(), 1):
        others = [other for other in leaves if other != name]
        text = SITE.format(n=n) + f"crossing CNAME www.{rng.choice(others)}\n" \
            f"crossing2 CNAME alias.{rng.choice(others)}\noutward DNAME {rng.choice(others)}\n"
        servers = standing.TLD if name in tops else rng.choice(PAIRS)
        if name.startswith("sub.") and rng.random() < 0.4:
            servers = next(zone.servers for zone in zones if zone.name == name[4:])
        zones.append(zone_of(rng, kind, name, servers, text))
    labels = LABELS + ["sub", "www.sub", "www.sub", "nosuch.sub"]
    return Internet(zones, SERVERS, kinds, labels, TYPES)
