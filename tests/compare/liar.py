"""Lies on the wire, the same for whoever asks.

A Liar has one or two rules. A rule changes some sets of each reply, or adds some: which ones, and
how, follows from the seed, the set's name and type (for what is added: the question's) and the server,
never from the order of questions nor from who
asks. So resolvers that ask other questions of other
servers on their way are told the same lies.

What is not tried: malformed messages (tests/fuzz), and lies that depend on time. The root's
and the top-level zones' DNSKEY, DS and NS, and addresses of name servers, are told as they are: without
them a round is SERVFAIL for everybody.
"""
import hashlib
import random

import dns.dnssec
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

IN = dns.rdataclass.IN
GROUPS = [("A", "AAAA", "TXT", "MX"), ("A",), ("A", "CNAME"), ("CNAME", "DNAME"), ("DS",), ("DNSKEY",),
          ("NSEC", "NSEC3"), ("NSEC", "NSEC3"), ("SOA",), ("NS",), ("DS", "NSEC", "NSEC3")]
FALSE = {"A": "192.0.2.66", "AAAA": "2001:db8:66::66", "TXT": '"a lie"', "MX": "66 lie.invalid.",
         "CNAME": "lie.invalid.", "DNAME": "lie.invalid.", "NS": "ns.lie.invalid.",
         "SOA": "lie.invalid. lie.invalid. 66 3600 900 86400 60",
         "DS": "666 13 2 " + "66" * 32, "DNSKEY": "257 3 13 " + "ZmZm" * 21 + "Zg==",
         "NSEC": "zzz.invalid. A RRSIG NSEC"}


class Draft:
    """A reply in the making. Sections are lists of dns.rrset.RRset."""

    def __init__(self, reply, chosen, types, keys=None):
        self.reply, self.chosen, self.types, self.keys = reply, chosen, types, keys
        self.question = reply.question[0]

    def sections(self):
        return self.reply.answer, self.reply.authority, self.reply.additional

    def sets(self):
        """(section, set) of each that the lie is about."""
        return [(section, rrset) for section in self.sections() for rrset in list(section)
                if dns.rdatatype.to_text(rrset.rdtype) in self.types
                and self.chosen(rrset.name, rrset.rdtype)]

    @staticmethod
    def signatures(section, rrset):
        return [other for other in section if other.rdtype == dns.rdatatype.RRSIG
                and other.covers == rrset.rdtype and other.name == rrset.name]

    def drop_signatures(self, section, rrset):
        for other in self.signatures(section, rrset):
            section.remove(other)

    def sign(self, change):
        """CHANGE(RRSIG rdata) for each signature of a set that the lie is about."""
        for section, rrset in self.sets():
            for other in self.signatures(section, rrset):
                rdatas = [change(rdata) for rdata in other]
                other.clear()
                for rdata in rdatas:
                    other.add(rdata)

    def re_sign(self, how):
        """HOW(set, its RRSIG) is the set and the RRSIG that stand in their place, or None."""
        for section, rrset in self.sets():
            mine = self.signatures(section, rrset)
            made = how(rrset, mine[0][0]) if mine and self.keys else None
            if made:
                self.drop_signatures(section, rrset)
                other, signature = made
                section[section.index(rrset)] = other
                section.append(dns.rrset.from_rdata(other.name, other.ttl, signature))

    def zone(self):
        """The zone that the reply speaks for, and a signature of it (or None)."""
        for section in self.sections():
            for rrset in section:
                if rrset.rdtype == dns.rdatatype.RRSIG:
                    return rrset[0].signer, rrset[0]
        for rrset in self.reply.authority:
            if rrset.rdtype in (dns.rdatatype.SOA, dns.rdatatype.NS):
                return rrset.name, None
        return None, None

    def add(self, section, owner, rrtype, text, forged):
        """A set that nobody signed, with a signature that names the zone's key if FORGED."""
        rrset = dns.rrset.from_text(owner, 300, IN, rrtype, text)
        section.append(rrset)
        like = self.zone()[1]
        if forged and like:
            fake = like.replace(type_covered=rrset.rdtype, labels=len(owner.labels) - 1,
                                original_ttl=300, signature=other_bytes(like.signature))
            section.append(dns.rrset.from_rdata(owner, 300, fake))

    def about_question(self):
        """By name alone: who minimises asks for another type. Top-level zones are left in peace."""
        return len(self.question.name.labels) > 2 and self.chosen(self.question.name, 0)


def other_bytes(signature):
    return bytes([signature[0] ^ 0x55]) + signature[1:-1] + bytes([signature[-1] ^ 0x55])


# ---- rules

def drop_signatures(draft):
    for section, rrset in draft.sets():
        draft.drop_signatures(section, rrset)


def drop_set(draft):
    for section, rrset in draft.sets():
        draft.drop_signatures(section, rrset)
        section.remove(rrset)


def drop_data(draft):
    for section, rrset in draft.sets():
        section.remove(rrset)


def replace(draft):
    for section, rrset in draft.sets():
        text = FALSE.get(dns.rdatatype.to_text(rrset.rdtype))
        if text:
            section[section.index(rrset)] = dns.rrset.from_text(rrset.name, rrset.ttl, IN, rrset.rdtype,
                                                                text)


def replace_unsigned(draft):
    drop_signatures(draft)
    replace(draft)


def add_record(draft):
    for _, rrset in draft.sets():
        text = FALSE.get(dns.rdatatype.to_text(rrset.rdtype))
        if text and rrset.rdtype not in (dns.rdatatype.CNAME, dns.rdatatype.DNAME, dns.rdatatype.SOA):
            rrset.add(dns.rdata.from_text(IN, rrset.rdtype, text))


def forge(draft):
    draft.sign(lambda sig: sig.replace(signature=other_bytes(sig.signature)))


def other_labels(draft):
    draft.sign(lambda sig: sig.replace(labels=max(0, sig.labels - 1)))


def other_signer(draft):
    draft.sign(lambda sig: sig.replace(signer=sig.signer.parent() if sig.signer != dns.name.root
                                       else dns.name.from_text("a.")))


def other_tag(draft):
    draft.sign(lambda sig: sig.replace(key_tag=sig.key_tag ^ 1))


def outdate(draft):
    draft.sign(lambda sig: sig.replace(inception=sig.inception - 90 * 86400,
                                       expiration=sig.inception - 60 * 86400))


def older(rrset):
    """What RRSET was once: with other data where there are any."""
    text = FALSE.get(dns.rdatatype.to_text(rrset.rdtype))
    return dns.rrset.from_text(rrset.name, rrset.ttl, IN, rrset.rdtype, text) if text else rrset


def old_copy(draft, days=60):
    """As it was, with the signature that it had: of a time that is over."""
    def how(rrset, signature):
        if signature.signer not in draft.keys.of:
            return None
        was = older(rrset)
        return was, draft.keys.sign(was, signature.signer, signature.signer, days)
    draft.re_sign(how)


def replay(draft):
    """The same, and it has not expired yet: nobody can tell that it is old."""
    old_copy(draft, 3)


def signed_by(relation, in_its_name, other_data):
    """The key of a zone around this one signs; IN_ITS_NAME: as if it were this one's."""
    def how(draft, rrset, signature):
        others = draft.keys.relatives(signature.signer)[relation]
        if signature.signer not in draft.keys.of or not others:
            return None
        was = older(rrset) if other_data else rrset
        made = draft.keys.sign(was, others[0], signature.signer if in_its_name else others[0])
        return was, made.replace(key_tag=signature.key_tag) if in_its_name else made

    def rule(draft):
        draft.re_sign(lambda rrset, signature: how(draft, rrset, signature))
    rule.__name__ = f"signed_by_{relation}{'_in_its_name' * in_its_name}{'_other_data' * other_data}"
    return rule


def other_ttl(draft):
    for section, rrset in draft.sets():
        for each in [rrset] + draft.signatures(section, rrset):
            each.ttl = 86400 if rrset.ttl < 3600 else 1


def other_section(draft):
    answer, authority, additional = draft.sections()
    goals = {id(answer): authority, id(authority): additional, id(additional): authority}
    for section, rrset in draft.sets():
        for each in [rrset] + draft.signatures(section, rrset):
            section.remove(each)
            goals[id(section)].append(each)


def other_owner(draft):
    for section, rrset in draft.sets():
        if rrset.name != draft.question.name and rrset.name != dns.name.root:
            for each in draft.signatures(section, rrset) + [rrset]:
                section[section.index(each)] = dns.rrset.from_rdata_list(
                    draft.question.name, each.ttl, list(each))


def invent(draft, forged=False):
    """What was asked for exists after all."""
    rrtype = dns.rdatatype.to_text(draft.question.rdtype)
    if draft.about_question() and not draft.reply.answer and rrtype in ("A", "AAAA", "TXT", "MX"):
        draft.add(draft.reply.answer, draft.question.name, rrtype, FALSE[rrtype], forged)
        draft.reply.set_rcode(dns.rcode.NOERROR)


def invent_forged(draft):
    invent(draft, True)


def add_nsec(draft, forged=False):
    """A delegation without DS at the name that was asked for."""
    zone, _ = draft.zone()
    name = draft.question.name
    if draft.about_question() and zone and name.is_subdomain(zone) and name != zone:
        draft.add(draft.reply.authority, name, "NSEC", f"{dns.name.from_text('zzz', zone)} NS RRSIG NSEC", forged)


def add_nsec_forged(draft):
    add_nsec(draft, True)


def add_nsec3(draft, forged=False):
    zone, _ = draft.zone()
    name = draft.question.name
    if draft.about_question() and zone and name.is_subdomain(zone) and name != zone:
        digest = dns.dnssec.nsec3_hash(name, "", 0, 1)
        owner = dns.name.from_text(digest, zone)
        draft.add(draft.reply.authority, owner, "NSEC3",
                  f"1 0 0 - {digest[:-1] + ('1' if digest[-1] != '1' else '2')} NS", forged)


def add_nsec3_forged(draft):
    add_nsec3(draft, True)


def only_ds(rule):
    """RULE, in replies to questions for DS alone."""
    def applied(draft):
        if draft.question.rdtype == dns.rdatatype.DS:
            rule(draft)
    applied.__name__ = rule.__name__ + "_for_ds"
    return applied


def empty(draft):
    if draft.about_question():
        for section in draft.sections():
            section.clear()


def other_rcode(draft):
    if draft.about_question():
        no_such = draft.reply.rcode() == dns.rcode.NXDOMAIN
        draft.reply.set_rcode(dns.rcode.NOERROR if no_such else dns.rcode.NXDOMAIN)


def no_aa(draft):
    if draft.about_question():
        draft.reply.flags &= ~dns.flags.AA


def no_opt(draft):
    if draft.about_question():
        draft.reply.use_edns(False)


# By function: its name is the rule's. Those that are about sets, and those that are about questions.
ABOUT_SETS = [drop_signatures, drop_signatures, drop_set, drop_data, replace, replace, replace_unsigned,
              replace_unsigned, add_record, forge, forge, other_labels, other_signer, other_tag, outdate,
              other_ttl, other_section, other_owner, old_copy, old_copy, replay] + \
    [signed_by(relation, in_its_name, other_data) for relation in ("parent", "child", "sibling")
     for in_its_name in (False, True) for other_data in (False, True)]
ABOUT_QUESTIONS = [invent, invent_forged, add_nsec, add_nsec_forged, add_nsec3, add_nsec3_forged, empty,
                   other_rcode, no_aa, no_opt]

# What a zone's own key says, or that of a zone above, is no lie for who believes signatures.
AUTHENTIC = ("replay", "signed_by_parent_other_data")

# Other data, and a reason why they need no signature.
MADE_FOR_EACH_OTHER = [(rule, reason) for rule in (replace_unsigned, invent)
                       for reason in map(only_ds, (add_nsec, add_nsec_forged, add_nsec3,
                                                   add_nsec3_forged))]


class Liar:
    def __init__(self, seed, keys):
        rng = random.Random(f"liar {seed}")
        self.seed, self.keys = seed, keys
        self.errors = []        # of the rules themselves: a fault of this program
        self.rules = []
        for rule in rng.choice(MADE_FOR_EACH_OTHER) if rng.random() < 0.25 else \
                rng.choices(ABOUT_SETS + ABOUT_QUESTIONS, k=rng.choice([1, 1, 2])):
            self.rules.append((rule, rng.choice(GROUPS) if rule in ABOUT_SETS else ()))
        self.share = rng.choice([1, 2, 3])      # of three sets
        self.one_server = rng.random() < 0.2    # of each zone's two lies
        if tuple(rule for rule, _ in self.rules) in MADE_FOR_EACH_OTHER:
            self.share, self.one_server = 3, False
        # What the zones' own keys have signed, and still holds, may be told with AD.
        self.may_be_true = any(rule.__name__ in AUTHENTIC for rule, _ in self.rules)

    def __str__(self):
        what = " + ".join(" ".join([rule.__name__, *types]) for rule, types in self.rules)
        return f"{what} ({self.share} of 3{', one server' if self.one_server else ''})"

    def chosen(self, name, rdtype):
        if len(name.labels) <= 2 and rdtype in (dns.rdatatype.DNSKEY, dns.rdatatype.DS, dns.rdatatype.NS):
            return False
        if name.labels[0].lower().startswith(b"ns") or name.is_subdomain(ROOT_SERVERS):
            return False
        text = f"{self.seed} {name.to_text().lower()} {int(rdtype)}"
        return hashlib.sha256(text.encode()).digest()[0] % 3 < self.share

    def set_on(self, link):
        """LINK's server lies from now on, if it is one of those."""
        link.edit = self.edit_for(link.name)

    def edit_for(self, server):
        """What Link.edit of SERVER shall be."""
        def edit(wire):
            try:
                reply = dns.message.from_wire(wire)
                if reply.question and not reply.flags & dns.flags.TC:
                    for rule, types in self.rules:
                        rule(Draft(reply, self.chosen, types, self.keys))
                    return reply.to_wire(max_size=65535)
            except Exception as error:      # the wire goes on; the run fails in the end
                self.errors.append(f"{self}: {type(error).__name__}: {error}")
            return wire
        return None if self.one_server and not server.endswith("-b") else edit


ROOT_SERVERS = dns.name.from_text("root-servers.net.")
