"""Names and texts of strangers are data on every way out: nothing in them moves a cursor, begins a line,
turns a text around or ends a string."""
import http.client
import json
import os
import pty
import re
import socket
import subprocess
import threading
import time

import dns.flags
import dns.message
import dns.name
import dns.rdatatype

import case
from control import Ctl

PORT = 9461
# Each as bytes: for a terminal, for whoever reads lines, for C, JSON, Prometheus, and the journal.
TEXTS = [
    b"\x1b[2J\x1b]0;owned\x07\x9b31m\xc2\x9b31m", b"a\r\nFORGED level=error", b"\nFORGED 1",
    "\u202etxt.exe\u2066\u200f".encode(), b'" priority=0 FORGED="', b"\\\" \\", b"%s%n%d{}", b"\0\x7f\x08\t",
    b"\xff\xfe\xc0\x80\xed\xa0\x80", b"}\n# HELP FORGED x\nFORGED 1", b"$(touch FORGED);`id`'",
]
ALLOWED = re.compile(r"[\x20-\x7e\n\t]*")       # tabs stand between fields of a dump


def strings(*parts):
    return b"".join(bytes([len(p)]) + p for p in parts)


def records(text):
    """Types that hold a text, and their data with TEXT in it."""
    name = strings(text[:63]) + b"\0"
    yield "TXT", strings(text, text)
    yield "HINFO", strings(text, text)
    yield "CAA", b"\0" + strings(b"issue") + text
    yield "NAPTR", b"\0\1\0\1" + strings(text, text, text) + name
    yield "URI", b"\0\1\0\1" + text
    yield "SVCB", b"\0\1\0" + b"\0\1" + bytes([0, len(text) + 1]) + strings(text)
    yield "HTTPS", b"\0\1\0" + b"\xff\x00" + bytes([0, len(text)]) + text
    yield "MX", b"\0\1" + name
    yield "SOA", name + name + bytes(20)
    yield "TYPE65280", text


class Hostile(case.DaemonCase):
    config = {
        "metrics": {"listen": [f"127.0.0.1:{PORT}"]}, "log": {"level": "debug", "queries": True},
        "prefetch": {"zones": [{"name": "pair.org.", "min-hits": 1, "min-yield": 0}]},
        "forward-zones": [{"name": "cluster.local.", "servers": ["192.0.2.99"], "only": ["never-*"]}],
    }

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ctl = Ctl(cls.net, cls.daemon)
        cls.names = [dns.name.Name([t, b"pair", b"org", b""]) for t in TEXTS]
        cls.watched = []
        link = cls.ctl.varlink(60)
        cls.thread = threading.Thread(target=cls.watch, args=(link,), daemon=True)
        cls.thread.start()
        for server in "pair-a", "pair-b":
            cls.net.servers[server].link.edit = cls.edit
        cls.fill()

    @classmethod
    def watch(cls, link):
        try:
            cls.watched.extend(link.stream_of("Watch"))
        except (OSError, TypeError):
            pass    # the daemon has ended

    @staticmethod
    def edit(reply):
        """The question's type with the text that its name begins with; names that are aliases fail."""
        message = dns.message.from_wire(reply)
        name, rrtype = message.question[0].name, message.question[0].rdtype
        text = name.labels[0].lower()
        wire = dict(records(text)).get(dns.rdatatype.to_text(rrtype))
        for section in message.answer, message.authority, message.additional:
            section.clear()
        message.flags |= dns.flags.AA
        if wire is None:
            message.set_rcode(2)
            return message.to_wire()
        message.set_rcode(0)
        out = bytearray(message.to_wire())
        out[6:8] = b"\0\1"
        # The answer goes before what dnspython has put behind the question.
        end = 12 + len(name.to_wire()) + 4
        rr = b"\xc0\x0c" + bytes([rrtype >> 8, rrtype & 255]) + b"\0\1\0\0\x01\x2c" + \
            bytes([len(wire) >> 8, len(wire) & 255]) + wire
        return bytes(out[:end]) + rr + bytes(out[end:])

    @classmethod
    def fill(cls):
        """Have the daemon learn, deny, fail and refuse them."""
        cls.got = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(3)
            sock.connect((cls.daemon.address, 53))
            for text, name in zip(TEXTS, cls.names):
                others = [dns.name.Name([text, *zone.split(b"."), b""]) for zone in
                          (b"signed.org", b"cluster.local", b"com.cluster.local", b"localhost")]
                for qname, rrtype in [*((name, t) for t, _ in records(text)), (name, "AAAA"),
                                      *((n, "A") for n in others)]:
                    message = dns.message.make_query(qname, rrtype, want_dnssec=True)
                    sock.send(message.to_wire())
                    reply = sock.recv(65535)
                    cls.got += reply[3] & 15 == 0 and reply[7] > 0

    def assertClean(self, text, where):
        text = text.decode("latin-1") if isinstance(text, bytes) else text
        bad = ALLOWED.match(text).end()
        self.assertEqual(bad, len(text), f"{where}: {text[max(bad - 80, 0):bad + 20]!r}")
        self.assertNotRegex(text, r"(?m)^\s*FORGED", where)

    def walk(self, value, where):
        if isinstance(value, dict):
            for key, below in value.items():
                self.walk(key, where)
                self.walk(below, f"{where}.{key}")
        elif isinstance(value, list):
            for below in value:
                self.walk(below, where + "[]")
        elif isinstance(value, str):
            self.assertClean(value, where)
            self.assertNotIn("\n", value, where)

    def test_a_it_was_learned(self):
        """Most of that is data that the daemon took: else the rest would show nothing."""
        self.assertGreater(self.got, len(TEXTS) * 6)

    def test_log(self):
        with open(self.daemon.log, "rb") as log:
            said = log.read()
        self.assertClean(said, "log")
        self.assertNotIn(b"\t", said)
        self.assertGreater(said.count(b"query client="), len(TEXTS) * 10)

    def verbs(self):
        yield from (("status",), ("stats",), ("upstreams",), ("cache", "stats"), ("prefetch", "list"),
                    ("prefetch", "stats"), ("forward", "list"), ("anchors",), ("config", "show"))
        for name in self.names:
            text = name.to_text()
            for rrtype in "TXT", "CAA", "SVCB", "AAAA", "TYPE65280":
                yield "cache", "show", text, rrtype
                yield "explain", text, rrtype
            yield "trace", text, "TXT"
            yield "trace", text, "AAAA"
            yield "prefetch", "now", text, "NAPTR"
            yield "nta", "add", text
        yield "nta", "list"

    def test_verbs(self):
        """As JSON and as text, what comes of it on standard error too."""
        for words in self.verbs():
            done = self.ctl.run(*words)
            self.assertClean(done.stdout + done.stderr, words)
            self.assertIn(done.returncode, (0, 1), f"{words}: {done.stderr}")
            if words[0] != "nta":
                done = self.ctl.run("--json", *words)
                self.assertClean(done.stdout, words)
                rest = done.stdout.strip()
                while rest:     # a stream is one after the other
                    value, end = json.JSONDecoder().raw_decode(rest)
                    self.walk(value, " ".join(words))
                    rest = rest[end:].strip()

    def test_terminal(self):
        """A terminal gets colours of ours, and nothing else."""
        for words in ("explain", self.names[0].to_text(), "TXT"), ("cache", "show", self.names[1].to_text()), \
                ("status",), ("prefetch", "list"):
            out = self.on_terminal(*words)
            self.assertClean(re.sub(rb"\x1b\[[0-9;]*m", b"", out).replace(b"\r\n", b"\n"), words)
            self.assertGreater(len(out), 50)

    def on_terminal(self, *words):
        ours, theirs = pty.openpty()
        with subprocess.Popen([self.ctl.program, "--socket", self.ctl.socket, *words], stdout=theirs,
                              stderr=theirs, stdin=subprocess.DEVNULL):
            os.close(theirs)
            out = b""
            while True:
                try:
                    part = os.read(ours, 65536)
                except OSError:     # the other end is closed
                    part = b""
                if not part:
                    break
                out += part
        os.close(ours)
        return out

    def test_dump(self):
        path = os.path.join(self.daemon.dir, "dump")
        self.assertEqual(self.ctl.run("cache", "dump", path).returncode, 0)
        with open(path, "rb") as file:
            text = file.read()
        self.assertClean(text, "dump")
        self.assertGreater(text.count(b"pair.org."), len(TEXTS) * 5)
        self.assertIn(self.ctl.run("cache", "load", path).returncode, (0, 1))

    def test_top_and_watch(self):
        # Who begins to watch while it happens may have come too late for some of it.
        deadline = time.monotonic() + 20
        while len(self.watched) <= 3 and time.monotonic() < deadline:
            self.ctl.run("cache", "flush", "--all")
            self.fill()
            time.sleep(0.2)
        for reply in self.ctl.varlink().call("Top"), *self.watched:
            self.walk(reply, "top or watch")
        self.assertGreater(len(self.watched), 3)

    def test_http(self):
        for path in "/metrics", "/readyz", "/healthz":
            link = http.client.HTTPConnection("127.0.0.1", PORT, timeout=10)
            link.request("GET", path)
            self.assertClean(link.getresponse().read(), path)
            link.close()

    def test_zz_nothing_was_done(self):
        self.assertFalse(os.path.exists("FORGED"))
        self.assertFalse(os.path.exists(os.path.join(self.daemon.dir, "FORGED")))
