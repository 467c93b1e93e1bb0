"""Replies over UDP that came in fragments, or are larger than was offered: not believed, as their pieces
bear neither port nor id (RFC 9715). TCP has what is true."""
import socket
import struct
import subprocess
import threading

import dns.flags
import dns.message
import dns.rdatatype
import dns.rrset

import case
from control import Ctl

ADDRESS, PORT = "10.78.0.1", 5454
FORGED, TRUE = "192.0.2.66", "192.0.2.1"
MORE_FRAGMENTS = 0x2000


class Splitter:
    """A server that cuts what it sends over UDP in two, or answers at length; and well over TCP."""

    def __init__(self):
        subprocess.run(["ip", "address", "replace", f"{ADDRESS}/32", "dev", "lo"], check=True)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.bind((ADDRESS, PORT))
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self.tcp = socket.create_server((ADDRESS, PORT))
        self.threads = [threading.Thread(target=run, daemon=True) for run in (self.run_udp, self.run_tcp)]
        for thread in self.threads:
            thread.start()

    @staticmethod
    def answer(data, text):
        message = dns.message.make_response(dns.message.from_wire(data))
        message.flags |= dns.flags.AA
        name = message.question[0].name
        if message.question[0].rdtype == dns.rdatatype.A:
            count = 120 if name.labels[0].lower() == b"large" and text == FORGED else 1
            head = text.rsplit(".", 1)[0]
            records = [text] if count == 1 else [f"{head}.{i}" for i in range(count)]
            message.answer = [dns.rrset.from_text(name, 60, "IN", "A", *records)]
        return message.to_wire(max_size=65535)

    def run_udp(self):
        while True:
            try:
                data, client = self.udp.recvfrom(4096)
            except OSError:
                return
            wire = self.answer(data, FORGED)
            label = dns.message.from_wire(data).question[0].name.labels[0].lower()
            if label == b"split":
                self.send_in_two(wire, client)
            else:
                self.udp.sendto(wire, client)

    def send_in_two(self, wire, client):
        datagram = struct.pack("!HHHH", PORT, client[1], 8 + len(wire), 0) + wire
        for begin, end in (0, 40), (40, len(datagram)):
            piece = datagram[begin:end]
            flags = begin // 8 | (MORE_FRAGMENTS if end < len(datagram) else 0)
            head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(piece), 0x1234, flags, 64,
                               socket.IPPROTO_UDP, 0, socket.inet_aton(ADDRESS),
                               socket.inet_aton(client[0]))
            self.raw.sendto(head + piece, (client[0], 0))

    def run_tcp(self):
        while True:
            try:
                conn, _ = self.tcp.accept()
            except OSError:
                return
            with conn:
                try:
                    wire = self.answer(case.read_messages(conn, 1)[0].to_wire(), TRUE)
                    conn.sendall(struct.pack("!H", len(wire)) + wire)
                except OSError:
                    pass

    def close(self):
        for sock in self.udp, self.tcp, self.raw:
            sock.close()


class Fragments(case.DaemonCase):
    config = {"prefetch": {"enabled": False},
              "stub-zones": [{"name": "pieces.", "servers": [f"{ADDRESS}:{PORT}"], "insecure": True}]}

    def test_pieces(self):
        host = Splitter()
        self.addCleanup(host.close)
        self.assertData(self.ask("whole.pieces"), FORGED)       # believed from one piece over UDP
        self.assertData(self.ask("split.pieces"), TRUE)
        self.assertData(self.ask("large.pieces"), TRUE)
        counters = Ctl(self.net, self.daemon).json("stats")["counters"]
        self.assertGreaterEqual(counters["upstream_fragments_total"], 1)   # more if asked again
        self.assertGreaterEqual(counters["upstream_oversized_total"], 1)
