"""What a client can tell of a reply, and what is wrong with what resolverd told."""
import collections
import dataclasses

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype

TOLD = ("NOERROR", "NXDOMAIN")
PATIENCE_S = 10
SHORT_S = 2     # where there are lies: named asks for 10 s now and then, and gives up

DENIALS = (dns.rdatatype.NSEC, dns.rdatatype.NSEC3)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Equal: status, AD and answer. What stands BESIDE it - (RRset, its RRSIGs or None, is it in the
    answer section) - is looked at for itself."""
    status: str
    secure: bool
    answer: tuple
    beside: tuple = dataclasses.field(default=(), compare=False)

    def as_list(self):
        sets = [f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)}{'' if signatures else ' unsigned'}"
                for rrset, signatures, in_answer in self.beside if not in_answer]
        return [self.status, self.secure, self.answer, sets]


def sets_of(reply):
    for section in reply.answer, reply.authority:
        for rrset in section:
            if rrset.rdtype != dns.rdatatype.RRSIG:
                signatures = reply.get_rrset(section, rrset.name, dns.rdataclass.IN,
                                             dns.rdatatype.RRSIG, rrset.rdtype)
                yield rrset, signatures, section is reply.answer


def ask(address, name, rrtype, cd=False, patience_s=PATIENCE_S):
    """Status, AD, and the answer without signatures, TTLs and order. Silence is a SERVFAIL."""
    message = dns.message.make_query(name, rrtype, want_dnssec=True, payload=1232)
    if cd:
        message.flags |= dns.flags.CD
    try:
        reply = dns.query.tcp(message, address, patience_s)
    except dns.exception.Timeout:
        return Outcome("SERVFAIL", False, ())
    except Exception as error:      # that it closes the connection is an outcome too
        return Outcome(type(error).__name__, False, ())
    status = dns.rcode.to_text(reply.rcode())
    if status not in TOLD:      # Knot Resolver leaves there what it would not tell
        return Outcome(status, False, ())
    answer = {f"{rrset.name} {dns.rdatatype.to_text(rrset.rdtype)} {rdata}".lower()
              for rrset in reply.answer if rrset.rdtype != dns.rdatatype.RRSIG for rdata in rrset}
    # A client that sets CD checks for itself (RFC 4035 §3.2.2); some resolvers tell it AD as well.
    secure = bool(reply.flags & dns.flags.AD) and not cd
    return Outcome(status, secure, tuple(sorted(answer)), tuple(sets_of(reply)))


def told(outcome):
    """Is it an answer at all?"""
    return outcome.status in TOLD


def agreed(outcomes):
    """What at least two of OUTCOMES are, or None."""
    common = collections.Counter(outcomes).most_common(1)
    return common[0][0] if common and common[0][1] >= 2 else None


def describe(outcome, truth):
    """In words for the patterns of "explained": "SERVFAIL", "true data AD", "false NXDOMAIN"."""
    if not told(outcome):
        return outcome.status
    what = "NXDOMAIN" if outcome.status == "NXDOMAIN" else "data" if outcome.answer else "NODATA"
    right = "some" if not truth else \
        "true" if (outcome.status, outcome.answer) == (truth.status, truth.answer) else "false"
    return f"{right} {what}{' AD' if outcome.secure else ''}"


def owned(outcome, name):
    return tuple(line for line in outcome.answer if line.split()[0] == name.lower())


def untrue(ours, truth, name, is_signed):
    """Why OURS must not be told though peers might tell it, or "". TRUTH is what is told without a
    lie; IS_SIGNED: from the root down to NAME's zone each is signed and delegated securely."""
    if not told(ours) or not truth:
        return ""
    if truth.secure and ours != truth:
        return "secure names are told with other data, or as insecure"
    if is_signed and truth.status == "SERVFAIL":
        return "what is bogus without a lie is told with one"
    if is_signed and not truth.secure and told(truth) and owned(ours, name) != owned(truth, name):
        return "a signed zone's part of an alias chain is another"
    if ours.secure and ours != truth:
        return "AD stands beside what is not so"
    return ""


def has(outcome, *types):
    return any(rrset.rdtype in types for rrset, _, in_answer in outcome.beside if not in_answer)


def is_expanded(outcome):
    """Was a set of the answer made from a wildcard, as its signature tells (RFC 4035 §5.3.4)?"""
    return any(in_answer and signatures and signatures[0].labels < len(rrset.name.labels) - 1
               and not rrset.name.is_wild() for rrset, signatures, in_answer in outcome.beside)


def made_by_dname(outcome, rrset):
    return rrset.rdtype == dns.rdatatype.CNAME and any(
        other.rdtype == dns.rdatatype.DNAME and rrset.name.is_subdomain(other.name)
        for other, _, _ in outcome.beside)


def incomplete(ours, theirs, keys):
    """What OURS lacks, or has too much of, to prove what it tells, or "". THEIRS are what peers tell."""
    if not told(ours):
        return ""
    denies = not ours.answer or ours.status == "NXDOMAIN"
    alike = [other for other in theirs if other == ours]
    soa = dns.rdatatype.SOA
    if denies and not has(ours, soa) and sum(has(other, soa) for other in alike) >= 2:
        return "a denial is told without its SOA"
    if not ours.secure:
        return ""
    if (denies or is_expanded(ours)) and not has(ours, *DENIALS):
        return "a denial is told as secure without its proof"
    for rrset, signatures, _ in ours.beside:
        if not made_by_dname(ours, rrset) and not keys.is_authentic(rrset, signatures):
            return "what its zone has not signed stands beside AD"
    return ""
