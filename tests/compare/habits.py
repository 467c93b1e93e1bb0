"""Servers that mean well and have odd ways: in letters, EDNS, size, TCP, and what they say of what they lack.

Habits has one or two of them, for all servers but those of the root and of top-level zones, or for one of
each zone's two. They tell no lie: what peers tell at all without habits is true with them too, so whoever
answers nothing where a peer tells that is behind it (RFC 6891, RFC 7873, RFC 5452, RFC 7766).
"""
import random
import struct

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype

from wire import Said

ALWAYS_TOLD = ("root-a", "root-b", "tld-a", "tld-b")        # without them a round is SERVFAIL for everybody


def said(query, rcode, *, opt=False, question=True):
    reply = dns.message.Message(id=query.id)
    reply.flags = dns.flags.QR | query.flags & dns.flags.RD
    if question:
        reply.question = query.question
    if opt:
        reply.use_edns(0, payload=1232)
    reply.set_rcode(rcode)      # some of it stands in the OPT
    return Said(reply.to_wire())


def has_capitals(query):
    text = query.question[0].name.to_text()
    return text != text.lower()


# ---- what is done about a query: (query, its bytes, tcp) -> the bytes to pass on, Said, or None

def to_edns(what, **words):
    """EDNS is answered with WHAT, or not at all."""
    def meet(query, wire, _):
        if query.edns < 0:
            return wire
        return said(query, what, **words) if what is not None else None
    return meet


def to_options(what):
    """The same where there are options in it."""
    def meet(query, wire, _):
        if query.edns < 0 or not query.options:
            return wire
        return said(query, what, opt=True) if what is not None else None
    return meet


def to_capitals(what):
    """And for names that are not in small letters."""
    def meet(query, wire, _):
        if not has_capitals(query):
            return wire
        return said(query, what, opt=query.edns >= 0) if what is not None else None
    return meet


def echo(query, wire, _):
    """A question with EDNS comes back as it was, with FORMERR."""
    return Said(wire[:2] + struct.pack("!H", 0x8001) + wire[4:]) if query.edns >= 0 else wire


def drop_large(query, wire, tcp):
    """Whoever offers more than 512 bytes gets nothing over UDP."""
    return None if query.edns >= 0 and query.payload > 512 and not tcp else wire


def truncate(query, wire, tcp):
    """All is told over TCP only."""
    if tcp:
        return wire
    reply = dns.message.from_wire(said(query, dns.rcode.NOERROR, opt=query.edns >= 0))
    reply.flags |= dns.flags.TC
    return Said(reply.to_wire())


def no_tcp(_, wire, tcp):
    return Said() if tcp else wire


# ---- what is done to a reply

def small_letters(reply, wire):
    """The question comes back in small letters."""
    if not reply.question:
        return wire
    end = 12 + len(reply.question[0].name.to_wire())
    return wire[:12] + wire[12:end].lower() + wire[end:]


def bytes_behind(_, wire):
    return wire + b"\0\0\0"


def no_opt(reply, _):
    reply.use_edns(False)
    return reply.to_wire(max_size=65535)


def another_opt(owner, options):
    """An OPT that is not as it should be, beside the one there is or in its place (RFC 6891 §6.1.1, §6.1.2)."""
    def edit(reply, wire):
        if reply.edns < 0:
            return wire
        if owner or options:
            reply.use_edns(False)
            wire = reply.to_wire(max_size=65535)
        count, = struct.unpack("!H", wire[10:12])
        return wire[:10] + struct.pack("!H", count + 1) + wire[12:] + owner + b"\0" + \
            struct.pack("!HHIH", dns.rdatatype.OPT, 1232, 0, len(options)) + options
    return edit


def no_soa(reply, _):
    """Denials do not say for how long."""
    if not reply.answer:
        reply.authority = [rrset for rrset in reply.authority if rrset.rdtype != dns.rdatatype.SOA]
    return reply.to_wire(max_size=65535)


def is_plain_nodata(reply):
    """A denial without proof, of a type."""
    return not reply.answer and not reply.rcode() and \
        not any(r.rdtype in (dns.rdatatype.NS, dns.rdatatype.RRSIG) for r in reply.authority)


def mute(reply, wire):
    """What there is no data of is answered by nothing, and not with authority (balancers)."""
    if not is_plain_nodata(reply):
        return wire
    reply.authority = []
    reply.flags &= ~dns.flags.AA
    return reply.to_wire(max_size=65535)


def denies_types(reply, wire):
    """Types that a name does not have are NXDOMAIN."""
    if not is_plain_nodata(reply):
        return wire
    reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply.to_wire(max_size=65535)


def denies_ends(reply, wire):
    """Who asks for an alias alone is told that its end is not there, beside it."""
    if reply.rcode() or not reply.answer or reply.question[0].rdtype != dns.rdatatype.CNAME:
        return wire
    reply.set_rcode(dns.rcode.NXDOMAIN)
    return reply.to_wire(max_size=65535)


def no_additional(reply, _):
    if reply.answer:
        reply.additional = []
    return reply.to_wire(max_size=65535)


DAMAGING = "two OPTs", "OPT with"      # nothing reads a reply of these any more but a resolver: they go last
ONE_ANSWER = "TCP only, one answer a connection"

# Name: what is done about queries, and to replies.
HABITS = {
    "FORMERR to EDNS": (to_edns(dns.rcode.FORMERR), None),
    "FORMERR to EDNS, without the question": (to_edns(dns.rcode.FORMERR, question=False), None),
    "FORMERR to EDNS, with an OPT": (to_edns(dns.rcode.FORMERR, opt=True), None),
    "FORMERR to EDNS, as an echo": (echo, None),
    "NOTIMP to EDNS": (to_edns(dns.rcode.NOTIMP), None),
    "SERVFAIL to EDNS": (to_edns(dns.rcode.SERVFAIL), None),
    "silence to EDNS": (to_edns(None), None),
    "FORMERR to options": (to_options(dns.rcode.FORMERR), None),
    "BADVERS to options": (to_options(dns.rcode.BADVERS), None),
    "SERVFAIL to options": (to_options(dns.rcode.SERVFAIL), None),
    "silence to options": (to_options(None), None),
    "REFUSED to capitals": (to_capitals(dns.rcode.REFUSED), None),
    "NXDOMAIN to capitals": (to_capitals(dns.rcode.NXDOMAIN), None),
    "SERVFAIL to capitals": (to_capitals(dns.rcode.SERVFAIL), None),
    "silence to capitals": (to_capitals(None), None),
    "silence to more than 512 bytes": (drop_large, None),
    "TCP only": (truncate, None),
    ONE_ANSWER: (truncate, None),
    "no TCP": (no_tcp, None),
    "small letters": (None, small_letters),
    "bytes behind the end": (None, bytes_behind),
    "no OPT": (None, no_opt),
    "two OPTs": (None, another_opt(b"", b"")),
    "OPT with an owner": (None, another_opt(b"\1x", b"")),
    "OPT with a broken option": (None, another_opt(b"", b"\xfd\xe9\0")),
    "OPT with a short cookie": (None, another_opt(b"", b"\0\x0a\0\7abcdefg")),
    "no SOA": (None, no_soa),
    "mute": (None, mute),
    "denies types": (None, denies_types),
    "denies ends of aliases": (None, denies_ends),
    "no additional data": (None, no_additional),
}


class Habits:
    may_be_true = False         # what is told is no other than without them

    def __init__(self, seed):
        rng = random.Random(f"habits {seed}")
        self.names = rng.sample(sorted(HABITS), 2 if rng.random() < 0.3 else 1)
        self.one_server = rng.random() < 0.3
        self.errors = []        # of the habits themselves: a fault of this program

    def __str__(self):
        return f"{' + '.join(self.names)}{' (one server)' if self.one_server else ''}"

    def has(self, server):
        return server not in ALWAYS_TOLD and (server.endswith("-b") or not self.one_server)

    def guarded(self, work, otherwise):
        try:
            return work()
        except Exception as error:      # the wire goes on; the run fails in the end
            self.errors.append(f"{self}: {type(error).__name__}: {error}")
            return otherwise

    def set_on(self, link):
        """LINK's server has them from now on, if it is one of those."""
        if not self.has(link.name):
            return
        link.meet, link.edit = self.meeting(), self.editing()
        link.one_answer = ONE_ANSWER in self.names

    def meeting(self):
        rules = [HABITS[name][0] for name in self.names if HABITS[name][0]]

        def meet(wire, tcp):
            def work():
                query, met = dns.message.from_wire(wire), wire
                for rule in rules:
                    met = rule(query, wire, tcp)
                    if met is None or isinstance(met, Said):
                        break
                return met
            return self.guarded(work, wire)
        return meet if rules else None

    def editing(self):
        names = sorted(self.names, key=lambda name: name.startswith(DAMAGING))
        rules = [HABITS[name][1] for name in names if HABITS[name][1]]

        def edit(wire):
            def work():
                told = wire
                for rule in rules:
                    try:
                        reply = dns.message.from_wire(told, ignore_trailing=True)
                    except dns.exception.DNSException:
                        if told is wire:
                            raise
                        break       # what damages it once is enough
                    told = rule(reply, told)
                return told
            return self.guarded(work, wire)
        return edit if rules else None
