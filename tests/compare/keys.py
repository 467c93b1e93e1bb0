"""The keys of a lab's zones, for lies that are well signed by somebody.

    keys = Keys(net.dir)
    keys.sign(rrset, dns.name.from_text("z3.c."), signer)      # an RRSIG rdata
"""
import base64
import glob
import os
import time

import dns.dnssec
import dns.exception
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

DAY = 86400
CURVES = {13: ec.SECP256R1(), 14: ec.SECP384R1()}


def private_key(algorithm, fields):
    """Of a private-key file's FIELDS."""
    def number(name):
        return int.from_bytes(base64.b64decode(fields[name]), "big")
    if algorithm in CURVES:
        return ec.derive_private_key(number("PrivateKey"), CURVES[algorithm])
    if algorithm == 15:
        return ed25519.Ed25519PrivateKey.from_private_bytes(base64.b64decode(fields["PrivateKey"]))
    d, p, q = (number(name) for name in ("PrivateExponent", "Prime1", "Prime2"))
    public = rsa.RSAPublicNumbers(number("PublicExponent"), number("Modulus"))
    return rsa.RSAPrivateNumbers(p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q),
                                 rsa.rsa_crt_iqmp(p, q), public).private_key()


def read_key(path):
    """(DNSKEY rdata, private key) of the file PATH, whose name ends with ".private"."""
    with open(path) as file:
        fields = dict(line.strip().split(": ", 1) for line in file if ": " in line)
    with open(path[:-len("private")] + "key") as file:
        text = [line for line in file if "DNSKEY" in line][0].split(";")[0]
    dnskey = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.DNSKEY, text.split("DNSKEY", 1)[1])
    return dnskey, private_key(int(dnskey.algorithm), fields)


class Keys:
    def __init__(self, directory):
        self.of = {}        # zone -> {is a key-signing key: (DNSKEY, private key)}
        for path in sorted(glob.glob(os.path.join(directory, "keys-*", "*.private"))):
            zone = dns.name.from_text(os.path.basename(os.path.dirname(path))[len("keys-"):])
            dnskey, key = read_key(path)
            self.of.setdefault(zone, {})[bool(dnskey.flags & 1)] = dnskey, key

    def relatives(self, zone):
        """Signed zones around ZONE: {"parent": [...], "child": [...], "sibling": [...]}, the nearest first."""
        parents = [other for other in self.of if zone.is_subdomain(other) and other != zone]
        parents.sort(key=lambda other: -len(other.labels))
        children = sorted(other for other in self.of if other.is_subdomain(zone) and other != zone)
        siblings = sorted(other for other in self.of if other != zone and parents[:1] and
                          other not in children and other.is_subdomain(parents[0]) and other != parents[0])
        return {"parent": parents, "child": children, "sibling": siblings}

    def sign(self, rrset, by, signer, shift_days=0):
        """The RRSIG of RRSET, made with a key of zone BY in SIGNER's name: of now, or of SHIFT_DAYS ago."""
        dnskey, key = self.of[by][rrset.rdtype == dns.rdatatype.DNSKEY]
        begin = int(time.time()) - (shift_days + 1) * DAY
        return dns.dnssec.sign(rrset, key, signer, dnskey, inception=begin, expiration=begin + 15 * DAY)

    def is_authentic(self, rrset, signatures):
        """Did its zone sign RRSET? Who makes its keys while it serves is believed, as they are not here."""
        for signature in signatures or ():
            known = [dnskey for dnskey, _ in self.of.get(signature.signer, {}).values()]
            mine = [dnskey for dnskey in known if dns.dnssec.key_id(dnskey) == signature.key_tag]
            if not mine:
                return not known
            try:
                dns.dnssec.validate_rrsig(rrset, signature, {signature.signer: mine})
                return True
            except dns.exception.DNSException:
                pass
        return False
