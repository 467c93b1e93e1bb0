"""ICMP messages from anybody: they say that servers are unreachable, before these can answer."""
import socket
import struct
import threading
import time

import case
from control import Ctl

IP_PACKETS = socket.htons(0x0800)
DELAY_S = 0.05      # of the servers; the forger is faster


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Forger:
    """Sees each question to port 53 of 198.51.100.0/24, and answers "port unreachable"."""

    def __init__(self):
        self.count = 0
        self.ended = False
        self.seen = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, IP_PACKETS)
        self.seen.settimeout(0.1)
        self.out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ended:
            try:
                packet, where = self.seen.recvfrom(4096)
            except socket.timeout:
                continue
            size = (packet[0] & 15) * 4
            is_question = packet[9] == socket.IPPROTO_UDP and packet[16:19] == bytes([198, 51, 100]) \
                and packet[size + 2:size + 4] == struct.pack("!H", 53) and where[2] == socket.PACKET_HOST
            if not is_question:
                continue
            body = packet[:size + 8]
            head = struct.pack("!BBHI", 3, 3, 0, 0)
            head = struct.pack("!BBHI", 3, 3, checksum(head + body), 0)
            self.out.sendto(head + body, (socket.inet_ntoa(packet[12:16]), 0))
            self.count += 1

    def close(self):
        self.ended = True
        self.thread.join()
        self.seen.close()
        self.out.close()


class Icmp(case.DaemonCase):
    config = {"prefetch": {"enabled": False}, "resolution": {"ipv6": False}}

    def test_forged(self):
        """RFC 5927 §5.2: they are hints. The answers that come are as good as any."""
        for name in "pair-a", "pair-b", "host-a", "host-b":
            self.net.servers[name].link.delay_s = DELAY_S
        self.addCleanup(self.net.heal)
        forger = Forger()
        self.addCleanup(forger.close)
        time.sleep(0.1)
        for number in range(10):
            self.assertData(self.ask(f"n{number}.pair.org"), f"198.18.0.{number + 1}")
            self.assertData(self.ask(f"n{number}.signed.org"), f"198.18.0.{number + 1}")
        self.assertGreaterEqual(forger.count, 20)
        self.assertGreater(Ctl(self.net, self.daemon).json("stats")["counters"]["upstream_hints_total"], 0)
