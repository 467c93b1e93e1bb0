"""The lab's small internet: which server has which addresses, which zone stands where.

A zone's SOA, its NS set, glue, and the NS, glue and DS in its parent are made by lab.py. Broken zones
are broken after signing, by the function named in `spoil`.
"""
import re


class Zone:
    def __init__(self, name, servers, text="", sign=None, **options):
        self.name = name
        self.servers = servers
        self.text = text
        self.sign = sign                            # None, "ldns" (NSEC unless told), "bind" (NSEC3), "knot"
        self.algorithm = options.pop("algorithm", "ECDSAP256SHA256")
        self.ns = options.pop("ns", None)           # names of name servers; default ns1.ZONE...
        self.ds = options.pop("ds", None)           # function(DS records) for the parent
        self.spoil = options.pop("spoil", None)     # function(signed zone text)
        self.validity = options.pop("validity", ("-1d", "+30d"))
        # For the signer: ldns' options; of BIND's, which refuses many iterations, what follows -3.
        self.nsec3 = options.pop("nsec3", "-" if self.sign == "bind" else "")
        self.delegate = options.pop("delegate", True)
        self.ttl = options.pop("ttl", 300)
        self.soa_minimum = options.pop("soa_minimum", 60)
        self.rolling = options.pop("rolling", False)    # "bind": beside its KSK one that is new
                                                        # and one that is revoked
        assert not options, options
        self.signed_ds = []                         # filled by the lab
        self.key_ds = {}                            # rolling: DS rdata of "active", "new", "revoked"

    def ds_for_parent(self):
        return self.ds(self.signed_ds) if self.ds else self.signed_ds


# Server: (kind, addresses). "none" has only its wire: packets to it vanish.
# Where they live: on the machine of the resolver, whose own addresses it asks only if it is told to.
NETWORKS = ["198.51.100.0/24", "2001:db8:1::/48"] + [f"2001:db8:9{i}::/48" for i in range(1, 5)]
SERVERS = {
    "root-a": ("nsd", ["198.51.100.1", "2001:db8:1::1"]),
    "root-b": ("knot", ["198.51.100.2"]),
    "tld-a": ("nsd", ["198.51.100.10", "2001:db8:1::10"]),
    "tld-b": ("knot", ["198.51.100.11"]),
    "aws-a": ("nsd", ["198.51.100.20"]),
    "aws-b": ("knot", ["198.51.100.21"]),
    "host-a": ("nsd", ["198.51.100.30", "2001:db8:1::30"]),
    "host-b": ("knot", ["198.51.100.31"]),
    "pair-a": ("nsd", ["198.51.100.40"]),
    "pair-b": ("knot", ["198.51.100.41"]),
    "six": ("nsd", ["2001:db8:1::50"]),
    "dead": ("none", ["198.51.100.90"]),
    "dead-six": ("none", [f"2001:db8:9{i}::1" for i in range(1, 5)]),
}
ROOT, TLD, AWS = ["root-a", "root-b"], ["tld-a", "tld-b"], ["aws-a", "aws-b"]
HOST, PAIR = ["host-a", "host-b"], ["pair-a", "pair-b"]

SITE = """
www         A     198.18.1.1
www         AAAA  2001:db8:80::1
pool        A     198.18.2.1
pool        A     198.18.2.2
pool        A     198.18.2.3
alias       CNAME www
chain1      CNAME chain2
chain2      CNAME chain3
chain3      CNAME www
loop1       CNAME loop2
loop2       CNAME loop1
mail        MX    10 www
text        TXT   "hello" "world"
srv         SRV   1 2 3 www
odd         TYPE65400 \\# 3 010203
ttl5        5 A   198.18.1.5
ttl2        2 A   198.18.1.2
*.wild      A     198.18.3.1
deep.empty  A     198.18.1.9
"""


def numbered(count):
    return "\n".join(f"n{i} A 198.18.{i // 250}.{i % 250 + 1}" for i in range(count))


def wrong_digest(ds_records):
    """The last hex digits of each digest changed."""
    return [re.sub(r"[0-9A-F]{8}$", "00000000", ds.upper()) for ds in ds_records]


def without_signatures_of(name, types=("A",)):
    pattern = re.compile(rf"^{re.escape(name)}\s.*\sRRSIG\s+({'|'.join(types)})\s", re.I)
    return lambda text: "".join(l for l in text.splitlines(True) if not pattern.match(l))


def corrupt_signature_of(name, rrtype="A"):
    """One letter in the middle of the signature becomes another."""
    pattern = re.compile(rf"^{re.escape(name)}\s.*\sRRSIG\s+{rrtype}\s", re.I)

    def spoil(text):
        lines = text.splitlines(True)
        for i, line in enumerate(lines):
            if pattern.match(line):
                # ldns-signzone: one line a record; the signature is its last word.
                head, signature = line.rstrip().rsplit(None, 1)
                letter = "B" if signature[40] == "A" else "A"
                lines[i] = f"{head} {signature[:40]}{letter}{signature[41:]}\n"
        return "".join(lines)
    return spoil


def without_types(*types):
    pattern = re.compile(rf"^\S+\s+\d+\s+IN\s+({'|'.join(types)})\s", re.I)
    return lambda text: "".join(l for l in text.splitlines(True) if not pattern.match(l))


BIG = "\n".join(f'big TXT "{i:03d} {"x" * 200}"' for i in range(15)) + "\n" + \
      "\n".join(f'huge TXT "{i:03d} {"y" * 230}"' for i in range(150)) + "\n" + \
      "\n".join(f'medium TXT "{i:03d} {"z" * 120}"' for i in range(6)) + "\n" + \
      "\n".join(f"crowd A 198.18.7.{i}\ncrowd AAAA 2001:db8:7::{i}" for i in range(1, 101))

ZONES = [
    Zone(".", ROOT, sign="ldns", algorithm="RSASHA256",
         ns=["a.root-servers.net.", "b.root-servers.net."]),
    Zone("root-servers.net.", ROOT, ns=["a.root-servers.net.", "b.root-servers.net."]),
    Zone("arpa.", ROOT, sign="ldns"),
    Zone("in-addr.arpa.", TLD, sign="ldns"),
    Zone("18.198.in-addr.arpa.", HOST, "1.1 PTR www.signed.org."),
    Zone("com.", TLD, sign="bind", nsec3="- -A"),
    Zone("org.", TLD, sign="ldns"),
    Zone("net.", TLD, sign="ldns", algorithm="ED25519"),

    # Endpoints as a cloud provider names them: a CNAME and an A with TTL 5.
    Zone("amazonaws.com.", AWS, "s3 60 A 198.18.9.9"),
    Zone("eu-west-1.rds.amazonaws.com.", AWS, """
db.cluster-abc          5 CNAME db-instance-1.abc
db.cluster-ro-abc       5 CNAME db-instance-2.abc
db-instance-1.abc       5 A 10.0.1.11
db-instance-2.abc       5 A 10.0.2.12
"""),
    Zone("euw1.cache.amazonaws.com.", AWS, """
master.sessions.abc     5 CNAME sessions-001.sessions.abc
sessions-001.sessions.abc 5 A 10.0.1.21
sessions-002.sessions.abc 5 A 10.0.2.22
"""),
    Zone("plain.com.", HOST, SITE + "db 60 CNAME db.cluster-abc.eu-west-1.rds.amazonaws.com.\n"),
    Zone("insecure.com.", HOST, SITE),

    # Signed by each of the three tools.
    Zone("signed.org.", HOST, SITE + numbered(1000) + """
dname       DNAME target
www.target  A     198.18.4.1
crossing    CNAME www.plain.com.
sub         TXT   "below is a delegation"
""", sign="ldns"),
    Zone("nsec3.org.", HOST, SITE, sign="bind", nsec3="AABB -H 5"),
    Zone("knot.org.", ["host-b"], SITE, sign="knot"),
    Zone("rsa.org.", HOST, SITE, sign="ldns", algorithm="RSASHA512"),
    Zone("p384.org.", HOST, SITE, sign="ldns", algorithm="ECDSAP384SHA384"),
    Zone("signed.com.", HOST, SITE, sign="bind"),
    Zone("rolling.org.", HOST, SITE, sign="bind", rolling=True),
    Zone("unsigned.org.", HOST, SITE + numbered(5000)),
    Zone("wild.org.", HOST, "* A 198.18.5.1\n* TXT any\nexists A 198.18.5.2", sign="ldns"),
    Zone("manysteps.org.", HOST, SITE, sign="ldns", nsec3="-n -s AABB -t 150"),
    Zone("child.signed.org.", HOST, SITE, sign="ldns"),
    Zone("island.unsigned.org.", HOST, SITE, sign="ldns"),
    Zone("big.org.", HOST, BIG),

    # Broken, each in its own way.
    Zone("expired.org.", HOST, SITE, sign="ldns", validity=("-60d", "-30d")),
    Zone("future.org.", HOST, SITE, sign="ldns", validity=("+30d", "+60d")),
    Zone("wrongds.org.", HOST, SITE, sign="ldns", ds=wrong_digest),
    Zone("stripped.org.", HOST, SITE, sign="ldns",
         spoil=without_types("RRSIG", "DNSKEY", "NSEC")),
    Zone("nosig.org.", HOST, SITE, sign="ldns", spoil=without_signatures_of("www.nosig.org.")),
    Zone("badsig.org.", HOST, SITE, sign="ldns", spoil=corrupt_signature_of("www.badsig.org.")),
    Zone("nodenial.org.", HOST, SITE, sign="ldns", spoil=without_types("NSEC")),

    # Delegations of other shapes.
    Zone("hosting.net.", HOST, "ns1 A 198.51.100.30\nns2 A 198.51.100.31", sign="ldns"),
    Zone("glueless.org.", HOST, SITE, ns=["ns1.hosting.net.", "ns2.hosting.net."]),
    Zone("six.org.", ["six"], SITE),
    Zone("pair.org.", PAIR, SITE + numbered(200), soa_minimum=3),
    Zone("dead.org.", ["dead"], SITE),
    Zone("deadsix.org.", ["dead-six"], SITE),
    # An alias chain that no reply can hold, as it crosses zones.
    Zone("limits.org.", HOST, "\n".join(f"a{i} CNAME b{i}.limits.com." for i in range(1, 10))),
    Zone("limits.com.", HOST, "\n".join(f"b{i} CNAME a{i + 1}.limits.org." for i in range(1, 10))),
    Zone("halfdead.org.", ["dead", "pair-b"], SITE),
    # Known to no parent: for stub zones.
    Zone("stub.internal.", HOST, SITE, delegate=False),
]
