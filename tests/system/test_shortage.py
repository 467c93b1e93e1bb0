"""Questions that wait for silent servers take all sockets and connections there are; innocents do not
notice, and nobody's server is blamed."""
import socket
import subprocess
import threading
import time

import dns.flags
import dns.message
import dns.rcode

import case
from control import Ctl

SILENT_ZONES = 300
PORT = 5455             # of the silent servers
IP_PKTINFO = 8          # linux/in.h; Python 3.11's socket lacks it
FLOOD_S = 9
INNOCENTS_PER_S = 25


def silent_zones():
    """Stub zones with a server each, on an address of its own (Silence)."""
    return [{"name": f"s{i}.silent.", "servers": [f"10.77.{i // 250}.{i % 250 + 1}:{PORT}"],
             "insecure": True} for i in range(SILENT_ZONES)]


class Silence:
    """A host with all addresses of 10.77.0.0/16 that says nothing, or says over UDP that its answers are
    too long, and takes TCP connections on which it then says nothing."""

    def __init__(self, truncates):
        self.truncates = truncates
        self.ended = False
        self.route = ["ip", "route", "replace", "local", "10.77.0.0/16", "dev", "lo"]
        subprocess.run(self.route, check=True)
        self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.udp.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)
        self.udp.bind(("0.0.0.0", PORT))
        self.udp.settimeout(0.2)
        self.tcp = socket.create_server(("0.0.0.0", PORT), backlog=4096)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.ended:
            try:
                data, control, _, client = self.udp.recvmsg(4096, 256)
            except socket.timeout:
                continue
            if self.truncates:
                reply = bytearray(data)
                reply[2] |= 0x82        # QR and TC
                # From the address that was asked.
                info = control[0][2]
                self.udp.sendmsg([reply], [(socket.IPPROTO_IP, IP_PKTINFO, info)], 0, client)

    def close(self):
        self.ended = True
        self.thread.join()
        self.udp.close()
        self.tcp.close()


class Shortage(case.DaemonCase):
    # With so few descriptors a worker has some 270 sockets for questions over UDP, beside 256
    # connections: a sixteenth of what it has by default.
    config = {"workers": 1, "stub-zones": silent_zones(), "prefetch": {"enabled": False}}
    options = {"wrapper": ["sh", "-c", 'ulimit -n 1000; exec "$@"', "sh"]}

    def setUp(self):
        super().setUp()
        self.addCleanup(self.net.heal)

    def flood(self, per_s, ended):
        """Names of silent zones, each another, until ENDED."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((self.daemon.address, 53))
            sent, begin = 0, time.monotonic()
            while not ended.is_set():
                while sent < (time.monotonic() - begin) * per_s:
                    name = f"x{sent}.s{sent % SILENT_ZONES}.silent."
                    sock.send(self.query(name, edns=False).to_wire())
                    sent += 1
                ended.wait(0.01)

    def ask_innocents(self, first):
        """Cold names, evenly; how many were asked, and the replies that were no answer."""
        failed, count, begin = [], 0, time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((self.daemon.address, 53))
            sock.settimeout(0.01)
            waiting = {}
            while time.monotonic() < begin + FLOOD_S + 2.5:
                now = time.monotonic() - begin
                while count < min(now, FLOOD_S) * INNOCENTS_PER_S:
                    message = self.query(f"n{first + count}.unsigned.org")
                    message.id = count
                    waiting[count] = message
                    sock.send(message.to_wire())
                    count += 1
                try:
                    reply = dns.message.from_wire(sock.recv(4096))
                except socket.timeout:
                    continue
                waiting.pop(reply.id, None)
                if reply.rcode() != dns.rcode.NOERROR or not reply.answer:
                    failed.append(reply.to_text())
        return count, failed + list(waiting.values())

    def besiege(self, per_s, first):
        """Innocents beside a flood."""
        ended = threading.Event()
        thread = threading.Thread(target=self.flood, args=(per_s, ended))
        thread.start()
        try:
            time.sleep(1)       # until all is taken
            count, failed = self.ask_innocents(first)
        finally:
            ended.set()
            thread.join()
        self.assertLess(len(failed) * 100, count, f"{len(failed)} of {count} failed: {failed[:2]}")

    def counters(self):
        return Ctl(self.net, self.daemon).json("stats")["counters"]

    def assertUnblamed(self):
        """No loss is booked to the servers of the innocents, but for what a busy machine makes."""
        for server in Ctl(self.net, self.daemon).json("upstreams")["servers"]:
            if server["address"].startswith("198.51.100."):
                self.assertLess(server["loss_permille"], 250, server)

    @case.slow
    def test_udp(self):
        host = Silence(truncates=False)
        self.addCleanup(host.close)
        self.besiege(per_s=100, first=0)
        self.assertGreater(self.counters()["upstream_yielded_total"], 0)
        self.assertUnblamed()

    @case.slow
    def test_tcp(self):
        """The innocents' servers truncate too, so that they need TCP."""
        host = Silence(truncates=True)
        self.addCleanup(host.close)

        def truncate(reply):
            if threading.current_thread().name != "wire":       # over TCP
                return reply
            message = dns.message.from_wire(reply)
            message.answer = []
            message.flags |= dns.flags.TC
            return message.to_wire()

        for name in "host-a", "host-b":
            self.net.servers[name].link.edit = truncate
        self.besiege(per_s=200, first=1000)
        self.assertUnblamed()
