"""What the system tests share: a daemon per test class, and ways to ask it."""
import contextlib
import ctypes
import os
import select
import socket
import struct
import time
import unittest

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode
import dns.rdatatype

NET = None      # the lab, set by run before any test
QUICK = False   # leave out what takes seconds
SEED = 1         # of what is random


def slow(test):
    """Decorator: not in a quick run."""
    def wrapped(self):
        if QUICK:
            self.skipTest("slow")
        test(self)
    wrapped.__doc__ = test.__doc__
    return wrapped


@contextlib.contextmanager
def held_worker(pid):
    """Hold one worker of the daemon PID as a debugger does; the other threads go on."""
    seize, interrupt, detach, wall = 0x4206, 0x4207, 17, 0x40000000
    tasks = f"/proc/{pid}/task"
    worker = next(int(t) for t in os.listdir(tasks)
                  if open(f"{tasks}/{t}/comm").read().startswith("worker"))
    ptrace = ctypes.CDLL(None, use_errno=True).ptrace
    if ptrace(seize, worker, 0, 0) or ptrace(interrupt, worker, 0, 0):
        raise OSError(ctypes.get_errno(), "ptrace")
    os.waitpid(worker, wall)
    try:
        yield
    finally:
        ptrace(detach, worker, 0, 0)


class DaemonCase(unittest.TestCase):
    """CONFIG goes over the daemon's own configuration (resolvers.py)."""
    config = {}
    options = {}
    patience_s = 10

    @classmethod
    def setUpClass(cls):
        cls.net = NET
        cls.daemon = NET.resolver(cls.config, **cls.options).start()

    @classmethod
    def tearDownClass(cls):
        NET.heal()
        crashed = cls.daemon.process.poll()
        status = cls.daemon.stop()
        if status != 0:
            when = "before it was asked to end" if crashed is not None else "when asked to end"
            raise AssertionError(f"status {status} {when}: {cls.daemon.said()[-3000:]}")

    def setUp(self):
        self.net.clear_queries()

    # ---- asking

    def query(self, name, rrtype="A", *, edns=True, payload=1232, do=False, ad=False, cd=False,
              rd=True, options=(), rdclass="IN"):
        message = dns.message.make_query(name, rrtype, rdclass, use_edns=0 if edns else -1,
                                         payload=payload, want_dnssec=do, options=list(options)
                                         or None)
        for wanted, flag in (rd, dns.flags.RD), (ad, dns.flags.AD), (cd, dns.flags.CD):
            message.flags = message.flags | flag if wanted else message.flags & ~flag
        return message

    def ask(self, name, rrtype="A", *, tcp=False, timeout=3, source=None, address=None, **words):
        """Ask the daemon and return its reply, as a dns.message."""
        message = self.query(name, rrtype, **words)
        send = dns.query.tcp if tcp else dns.query.udp
        try:
            return send(message, address or self.daemon.address, timeout, source=source)
        except dns.exception.Timeout:
            self.fail(f"no answer to {name} {rrtype} in {timeout} s")

    def timed(self, name, rrtype="A", **words):
        """As ask(); the reply and the seconds it took."""
        begin = time.monotonic()
        reply = self.ask(name, rrtype, **words)
        return reply, time.monotonic() - begin

    def raw(self, packet, timeout=0.5):
        """Send bytes over UDP; the reply's bytes, or None."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(timeout)
            sock.connect((self.daemon.address, 53))
            sock.send(packet)
            try:
                return sock.recv(65535)
            except (socket.timeout, ConnectionError):
                return None

    def connect(self, timeout=5):
        """A TCP connection to the daemon."""
        sock = socket.create_connection((self.daemon.address, 53), timeout)
        self.addCleanup(sock.close)
        return sock

    def ask_all(self, messages, timeout):
        """Send MESSAGES over UDP as fast as the daemon's socket takes them; the replies to them."""
        socks, wanted = [], {}
        try:
            for i, message in enumerate(messages):
                if i % 64 == 0:
                    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                    sock.connect((self.daemon.address, 53))
                    socks.append(sock)
                    time.sleep(0.005)       # the receive buffer holds some 250 packets
                message.id = i & 0xffff
                wanted[sock, message.id] = message
                sock.send(message.to_wire())
            replies, deadline = [], time.monotonic() + timeout
            while len(replies) < len(messages) and time.monotonic() < deadline:
                readable, _, _ = select.select(socks, [], [], 0.1)
                for sock in readable:
                    reply = dns.message.from_wire(sock.recv(65535))
                    if wanted.pop((sock, reply.id), None):
                        replies.append(reply)
            return replies
        finally:
            for sock in socks:
                sock.close()

    # ---- looking at what came

    def until(self, condition, timeout_s=None):
        """Wait for what a thread of the daemon does a moment later."""
        deadline = time.monotonic() + (timeout_s or self.patience_s)
        while not condition():
            self.assertLess(time.monotonic(), deadline, self.seen())
            time.sleep(0.02)

    def seen(self):
        """What tells why a condition did not become true."""
        return self.daemon.said()[-2000:]

    def assertSaid(self, pattern, daemon=None, *, times=None):
        """The daemon's log has PATTERN (a text, or a compiled expression), in TIMES places. Its log has a
        thread of its own: what is written is waited for."""
        daemon = daemon or self.daemon
        found = pattern.findall if hasattr(pattern, "findall") else \
            lambda said: [pattern] * said.count(pattern)
        deadline = time.monotonic() + self.patience_s
        while len(found(daemon.said())) < (times or 1) and time.monotonic() < deadline:
            time.sleep(0.02)
        places = len(found(daemon.said()))
        self.assertTrue(places == times if times else places > 0,
                        f"{pattern}: in {places} places: {daemon.said()[-2000:]}")

    def assertStatus(self, reply, status):
        self.assertEqual(dns.rcode.to_text(reply.rcode()), status, reply.to_text())

    def assertData(self, reply, *wanted, status="NOERROR"):
        """The rdata of the answer section, without signatures, in any order."""
        self.assertStatus(reply, status)
        self.assertEqual(sorted(data(reply)), sorted(wanted), reply.to_text())

    def assertEmpty(self, reply, status):
        """A negative answer: no data, and the SOA that says how long."""
        self.assertData(reply, status=status)
        self.assertIn("SOA", types(reply.authority), reply.to_text())

    def assertFlag(self, reply, flag, wanted=True):
        self.assertEqual(bool(reply.flags & getattr(dns.flags, flag)), wanted,
                         f"{flag}: {reply.to_text()}")

    def assertEde(self, reply, *codes):
        """One of these extended errors is there."""
        self.assertTrue(set(ede_codes(reply)) & set(codes),
                        f"EDE {ede_codes(reply)}, wanted one of {codes}: {reply.to_text()}")


class FreshCase(DaemonCase):
    """There is no daemon but those that a test starts and ends."""

    @classmethod
    def setUpClass(cls):
        cls.net = NET

    @classmethod
    def tearDownClass(cls):
        NET.heal()


def data(reply):
    return [rdata.to_text() for rrset in reply.answer
            if rrset.rdtype not in (dns.rdatatype.RRSIG, dns.rdatatype.DNAME) for rdata in rrset]


def types(section):
    return {dns.rdatatype.to_text(rrset.rdtype) for rrset in section}


def edes(reply):
    return [o for o in reply.options if isinstance(o, dns.edns.EDEOption)]


def ede_codes(reply):
    return [int(o.code) for o in edes(reply)]


def option(reply, code):
    """The data of the EDNS option CODE, or None."""
    for found in reply.options:
        if int(found.otype) == code:
            return found.to_wire()
    return None


def framed(*messages):
    """For TCP: each message with its length before it."""
    wires = [m if isinstance(m, bytes) else m.to_wire() for m in messages]
    return b"".join(struct.pack("!H", len(w)) + w for w in wires)


def read_messages(sock, count):
    """COUNT replies from a TCP connection."""
    replies, stream = [], sock.makefile("rb")
    for _ in range(count):
        head = stream.read(2)
        if len(head) < 2:
            raise AssertionError(f"closed after {len(replies)} of {count} replies")
        replies.append(dns.message.from_wire(stream.read(struct.unpack("!H", head)[0])))
    return replies


def header(message_id=0x1234, flags=0x0100, qd=1, an=0, ns=0, ar=0):
    return struct.pack("!6H", message_id, flags, qd, an, ns, ar)


def random_bytes(count):
    return os.urandom(count)
