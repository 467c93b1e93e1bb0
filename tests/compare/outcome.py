"""What a client can tell of a reply, and what is wrong with what resolverd told."""
import collections

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

TOLD = ("NOERROR", "NXDOMAIN")
PATIENCE_S = 10
SHORT_S = 2     # where there are lies: named asks for 10 s now and then, and gives up

Outcome = collections.namedtuple("Outcome", "status secure answer")


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
    return Outcome(status, secure, tuple(sorted(answer)))


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
