"""Connections of clients (RFC 7766)."""
import select
import socket
import struct
import time

import dns.edns

import case
from case import framed, option, read_messages
from control import Ctl


class Connections(case.DaemonCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # Opened first and looked at last: see test_zz_idle.
        cls.idle_since = time.monotonic()
        cls.idle = socket.create_connection((cls.daemon.address, 53))

    @classmethod
    def tearDownClass(cls):
        cls.idle.close()
        super().tearDownClass()

    def test_pipelined(self):
        """A hundred queries at once: each is answered, in any order."""
        sock = self.connect()
        queries = [self.query(f"n{i}.signed.org") for i in range(100)]
        sock.sendall(framed(*queries))
        replies = read_messages(sock, 100)
        self.assertEqual({q.id for q in queries}, {r.id for r in replies})
        for reply in replies:
            self.assertEqual(len(case.data(reply)), 1)

    def test_out_of_order(self):
        """RFC 7766 §6.2.1.1: a slow answer does not hold up a quick one."""
        self.ask("www.signed.org")
        self.ask("www.pair.org")
        for name in "pair-a", "pair-b":
            self.net.servers[name].link.delay_s = 0.15
        sock = self.connect()
        slow, quick = self.query("n1.pair.org"), self.query("www.signed.org")
        sock.sendall(framed(slow, quick))
        self.assertEqual([r.id for r in read_messages(sock, 2)], [quick.id, slow.id])
        self.net.heal()

    def test_byte_by_byte(self):
        """RFC 7766 §8: a message may come in any pieces."""
        sock = self.connect()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in framed(self.query("www.signed.org"), self.query("www.nsec3.org")):
            sock.send(bytes([byte]))
            time.sleep(0.001)
        self.assertEqual(len(read_messages(sock, 2)), 2)

    def test_half_closed(self):
        """Queries are answered after the client has closed its side; then comes the end."""
        sock = self.connect()
        sock.sendall(framed(*[self.query(f"n{i}.unsigned.org") for i in range(3)]))
        sock.shutdown(socket.SHUT_WR)
        read_messages(sock, 3)
        self.assertEqual(sock.recv(1), b"")

    def test_slow_reader(self):
        """Large answers wait for a client that reads late."""
        self.ask("huge.big.org", "TXT", tcp=True)
        sock = self.connect()
        for i in range(40):
            sock.sendall(framed(self.query("huge.big.org", "TXT")))
        time.sleep(0.3)
        self.assertData(self.ask("www.signed.org"), "198.18.1.1")
        for reply in read_messages(sock, 40):
            self.assertEqual(len(case.data(reply)), 150)

    def test_keepalive(self):
        """RFC 7828 §3.2.2: how long an idle connection is kept, at least 15 s."""
        sock = self.connect()
        sock.sendall(framed(self.query("www.signed.org", options=[dns.edns.GenericOption(11, b"")]),))
        value = option(read_messages(sock, 1)[0], 11)
        self.assertGreaterEqual(struct.unpack("!H", value)[0], 150)
        sock.sendall(framed(self.query("www.signed.org")))
        self.assertIsNone(option(read_messages(sock, 1)[0], 11))

    def test_nonsense(self):
        """Nonsense ends a connection or is told; others do not notice."""
        for junk in (b"\x00\x00", b"\x00\x05abcde", b"\xff\xff" + b"x" * 1000, b"\x00",
                     struct.pack("!H", 12) + case.header(qd=0), b"GET / HTTP/1.1\r\n\r\n"):
            sock = self.connect()
            sock.sendall(junk)
            sock.close()
        self.assertData(self.ask("www.signed.org", tcp=True), "198.18.1.1")

    def test_reply_is_formerr(self):
        sock = self.connect()
        sock.sendall(framed(case.header(qd=0), self.query("www.signed.org")))
        self.assertEqual(sorted(r.rcode() for r in read_messages(sock, 2)), [0, 1])

    def test_thousands(self):
        """2000 connections stay open, and each can ask."""
        self.ask("www.signed.org")
        message = framed(self.query("www.signed.org"))
        socks = []
        try:
            for i in range(2000):
                socks.append(socket.create_connection((self.daemon.address, 53), 5))
            for sock in socks:
                sock.sendall(message)
            for sock in socks:
                read_messages(sock, 1)
            self.assertData(self.ask("www.nsec3.org"), "198.18.1.1")
        finally:
            for sock in socks:
                sock.close()

    @case.slow
    def test_zz_idle(self):
        """An idle connection is kept for 15 s (CoreDNS reuses them for 10)."""
        time.sleep(max(0, self.idle_since + 15.0 - time.monotonic()))
        readable, _, _ = select.select([self.idle], [], [], 0)
        self.assertEqual(readable, [], "closed too early")
        self.idle.sendall(framed(self.query("www.signed.org")))
        self.assertEqual(len(read_messages(self.idle, 1)), 1)


class TwoWorkers(case.DaemonCase):
    """The same with several workers: each connection and each datagram has one of them."""
    config = {"workers": 2, "listen": ["127.0.0.1:53", "[::1]:53"]}

    def test_all_families(self):
        for i in range(20):
            for address in "127.0.0.1", "::1":
                for tcp in False, True:
                    reply = self.ask(f"n{i}.signed.org", address=address, tcp=tcp)
                    self.assertData(reply, f"198.18.0.{i + 1}")

    def test_shared_cache(self):
        """What one worker learnt the other one knows."""
        self.addCleanup(self.net.heal)
        self.ask("text.signed.org", "TXT")
        for server in self.net.servers.values():
            server.link.silent = True
        for _ in range(20):     # a new socket each, and so perhaps another worker
            self.assertTrue(self.ask("text.signed.org", "TXT").answer)


class FewDescriptors(case.DaemonCase):
    """What a shell or a container commonly allows: a thousand."""
    options = {"threads": 2, "wrapper": ("bash", "-c", 'ulimit -n 1024; exec "$@"', "bash")}

    def test_hundreds(self):
        """More than three hundred connections at a time, each of them answered; and status tells of the limit."""
        status = Ctl(self.net, self.daemon).json("status")
        self.assertEqual(status["descriptors"]["limit"], 1024)
        self.assertFalse(status["descriptors"]["few"])
        self.assertGreaterEqual(status["descriptors"]["clients"], 400)
        self.ask("www.signed.org")
        socks = [self.connect() for _ in range(320)]        # by chance more go to one worker
        for _ in range(2):
            for sock in socks:
                sock.sendall(framed(self.query("www.signed.org")))
            for sock in socks:
                self.assertEqual(len(read_messages(sock, 1)), 1)
