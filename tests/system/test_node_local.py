"""Node-local mode: an address that the daemon makes, shares and removes."""
import ipaddress
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

import dns.exception
import dns.message
import dns.query
import dns.rcode

import case
from control import Ctl
from resolvers import ask_quickly
from test_service import Manager

V4, V6 = "169.254.20.10", "fd00::10"
LINK = "nodelocal"


def addresses():
    """Of the whole machine: address to interface."""
    told = subprocess.run(["ip", "-o", "addr"], capture_output=True, text=True, check=True).stdout
    words = [line.split() for line in told.splitlines()]
    return {w[3].split("/")[0]: w[1] for w in words}


def links():
    told = subprocess.run(["ip", "-o", "link"], capture_output=True, text=True, check=True).stdout
    return {line.split(": ")[1].split("@")[0] for line in told.splitlines()}


def node_local(interface=LINK, also=(), **more):
    """Nothing else to listen on, as of two that share a node."""
    return {"listen": [], "node-local": {"interface": interface, "addresses": [V4, V6, *also]}, **more}


class Asker(threading.Thread):
    """Asks without pause, each question on a socket of its own; what was not answered."""

    def __init__(self, address, tcp):
        super().__init__()
        self.address, self.tcp = address, tcp
        self.asked, self.failed, self.ending = 0, [], False

    def run(self):
        send = dns.query.tcp if self.tcp else dns.query.udp
        names = ["www.plain.com", "www.signed.com", "www.signed.org"]
        while not self.ending:
            query = dns.message.make_query(names[self.asked % len(names)], "A")
            try:
                reply = send(query, self.address, timeout=3)
                if reply.rcode() != dns.rcode.NOERROR or not reply.answer:
                    self.failed.append(dns.rcode.to_text(reply.rcode()))
            except (OSError, EOFError, dns.exception.DNSException) as error:
                self.failed.append(repr(error))
            self.asked += 1
            time.sleep(0.001)


class NodeLocalCase(case.FreshCase):
    """Daemons per test; none is left, nor anything that they have made."""
    def setUp(self):
        super().setUp()
        self.assertNotIn(V4, addresses())
        self.assertNotIn(LINK, links())

    def begin(self, config=None, wrapper=()):
        daemon = self.net.resolver(config or node_local(), address=V4, wrapper=wrapper)
        daemon.ever = False
        self.addCleanup(self.end, daemon)
        self.daemon = daemon
        self.start(daemon)
        return daemon

    def start(self, daemon):
        """Until it serves: an answer alone may be another's."""
        before = daemon.said().count("started version") if daemon.ever else 0
        daemon.ever = True
        daemon.start(wait=False)
        self.until(lambda: daemon.said().count("started version") == before + 1)

    def end(self, daemon):
        if daemon.process:
            self.assertEqual(daemon.stop(), 0, daemon.said()[-2000:])
            self.assertNotIn("sandbox refused", daemon.said())

    def assertServed(self):
        for address in V4, V6:
            for tcp in False, True:
                self.assertData(self.ask("www.signed.org", address=address, tcp=tcp), "198.18.1.1")


class NodeLocal(NodeLocalCase):
    def test_life(self):
        """There with the daemon, on an interface of its own, and gone with it."""
        daemon = self.begin()
        self.assertEqual((addresses()[V4], addresses()[V6]), (LINK, LINK))
        self.assertServed()
        status = Ctl(self.net, daemon).json("status")
        self.assertEqual(status["listen"], [f"{V4}:53", f"[{V6}]:53"])
        self.assertEqual(status["warnings"], [])
        self.end(daemon)
        self.assertNotIn(V4, addresses())
        self.assertNotIn(V6, addresses())
        self.assertNotIn(LINK, links())
        self.assertSaid(f"node-local address removed address={V4} interface={LINK}", daemon)

    def test_capability(self):
        """CAP_NET_ADMIN is kept for this, and for nothing else."""
        for config, wanted in (node_local(), True), ({"listen": ["127.0.0.1:53"]}, False):
            daemon = self.begin(config)
            with open(f"/proc/{daemon.process.pid}/status") as status:
                effective = int(dict(line.split(":", 1) for line in status)["CapEff"], 16)
            self.assertEqual(bool(effective >> 12 & 1), wanted)
            self.end(daemon)

    def test_ipv6_alone(self):
        """Ready although the kernel may not have finished the address when it is asked first."""
        manager = Manager(self.net.dir)
        self.addCleanup(manager.socket.close)
        daemon = self.net.resolver(
            {"listen": [], "node-local": {"interface": LINK, "addresses": [V6]}}, address=V6,
            wrapper=["env", f"NOTIFY_SOCKET={manager.path}"])
        self.addCleanup(self.end, daemon)
        daemon.start(wait=False)
        self.assertIsNotNone(manager.heard("READY=1", 10), daemon.said())
        self.assertData(self.ask("www.signed.org", address=V6), "198.18.1.1")

    def test_on_loopback(self):
        """An interface that is there is used and stays."""
        daemon = self.begin(node_local("lo"))
        self.assertEqual(addresses()[V4], "lo")
        self.assertServed()
        self.end(daemon)
        self.assertNotIn(V4, addresses())
        self.assertIn("lo", links())

    def test_foreign(self):
        """What an administrator has made stays, on whatever interface it is."""
        subprocess.run(["ip", "addr", "add", f"{V4}/32", "dev", "lo"], check=True)
        try:
            daemon = self.begin()
            self.assertEqual(addresses()[V4], "lo")
            self.assertEqual(addresses()[V6], LINK)
            self.assertServed()
            self.end(daemon)
            self.assertEqual(addresses()[V4], "lo")
            self.assertNotIn(V6, addresses())
        finally:
            subprocess.run(["ip", "addr", "del", f"{V4}/32", "dev", "lo"], check=True)

    def test_interface_in_use(self):
        """An interface of ours stays while somebody else's address is on it."""
        daemon = self.begin()
        subprocess.run(["ip", "addr", "add", "10.55.0.1/32", "dev", LINK], check=True)
        self.end(daemon)
        try:
            self.assertNotIn(V4, addresses())
            self.assertIn(LINK, links())
        finally:
            subprocess.run(["ip", "link", "del", LINK], check=True)

    def test_crash(self):
        """After kill -9 it is still there; who starts next takes it over, and removes it."""
        daemon = self.begin()
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        daemon.process = None
        self.assertEqual(addresses()[V4], LINK)
        daemon.start()
        self.assertServed()
        self.assertSaid("node-local address made", daemon, times=2)
        self.end(daemon)
        self.assertNotIn(V4, addresses())
        self.assertNotIn(LINK, links())

    def test_crash_on_loopback(self):
        daemon = self.begin(node_local("lo"))
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        daemon.process = None
        self.start(daemon)
        self.assertServed()
        self.end(daemon)
        self.assertNotIn(V4, addresses())

    def test_taken_away(self):
        """Flushed, or the whole interface deleted: it comes back."""
        daemon = self.begin()
        for command in ["addr", "flush", "dev", LINK], ["link", "del", LINK]:
            with self.subTest(command):
                subprocess.run(["ip", *command], check=True)
                self.until(lambda: {V4, V6} <= set(addresses()))
                # The kernel finishes an IPv6 address a moment after it has told of it.
                self.until(lambda: ask_quickly("localhost", "A", V6, 53) is not None)
                self.assertServed()
        self.end(daemon)
        self.assertNotIn(LINK, links())

    def test_not_permitted(self):
        """Without the capability it does not start, and says what is missing."""
        drop = ["setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin"] if os.getuid() == 0 \
            else None
        if not drop or not shutil.which("setpriv"):
            self.skipTest("needs root and setpriv")
        daemon = self.net.resolver(node_local(), address=V4, wrapper=drop)
        daemon.start(wait=False)
        self.assertEqual(daemon.process.wait(10), 71)
        daemon.process = None
        self.assertSaid(f"cannot be made address={V4} interface={LINK} "
                        'reason="Operation not permitted: give CAP_NET_ADMIN', daemon)
        self.assertNotIn(V4, addresses())
        # Where somebody else has made them it is not needed.
        for address in V4, V6:
            prefix = ipaddress.ip_network(address)
            nodad = ["nodad"] if prefix.version == 6 else []
            subprocess.run(["ip", "addr", "add", str(prefix), "dev", "lo", *nodad], check=True)
        try:
            daemon.start()
            self.assertServed()
            self.assertEqual(daemon.stop(), 0)
            self.assertIn(V4, addresses())
        finally:
            for address in V4, V6:
                prefix = ipaddress.ip_network(address)
                subprocess.run(["ip", "addr", "del", str(prefix), "dev", "lo"], check=True)

    def test_somebody_else(self):
        """Another account's server on the address: an error, and nothing is made."""
        if os.getuid() != 0:
            self.skipTest("needs two accounts")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.setsockopt(socket.SOL_IP, 15, 1)    # IP_FREEBIND
            sock.bind((V4, 53))                     # without SO_REUSEPORT
            daemon = self.net.resolver(node_local(), address=V4)
            daemon.start(wait=False)
            self.assertEqual(daemon.process.wait(10), 71)
            daemon.process = None
            self.assertSaid(f"cannot listen address={V4}:53", daemon)
        self.assertNotIn(LINK, links())

    def test_reload(self):
        """Only a restart changes it."""
        daemon = self.begin()
        daemon.configure(node_local(also=["169.254.20.11"]))
        daemon.reload()
        self.until(lambda: "changed only by a restart key=node-local" in daemon.said())
        self.assertNotIn("169.254.20.11", addresses())
        self.assertServed()


class Shared(NodeLocalCase):
    def restart_one_of_two(self, tcp):
        first, second = self.begin(), self.begin()
        askers = [Asker(address, tcp) for address in (V4, V6)]
        for asker in askers:
            asker.start()
        try:
            for _ in range(4):
                time.sleep(0.3)
                self.end(second)
                self.assertEqual(addresses()[V4], LINK)
                time.sleep(0.1)
                self.start(second)
            time.sleep(0.3)
        finally:
            for asker in askers:
                asker.ending = True
            for asker in askers:
                asker.join()
        for asker in askers:
            self.assertGreater(asker.asked, 100)
            self.assertEqual(asker.failed, [], f"of {asker.asked}")
        self.assertSaid(f"node-local address left address={V4}", second)
        self.end(first)
        self.assertEqual(addresses()[V4], LINK)
        self.assertServed()
        self.end(second)
        self.assertNotIn(V4, addresses())
        self.assertNotIn(LINK, links())

    @case.slow
    def test_restart_udp(self):
        """One of two is restarted again and again: not a question is lost; the last one cleans up."""
        self.restart_one_of_two(tcp=False)

    @case.slow
    def test_restart_tcp(self):
        """The same for new TCP connections, where the kernel moves them (tcp_migrate_req)."""
        knob = "/proc/sys/net/ipv4/tcp_migrate_req"
        if not os.path.exists(knob):
            self.skipTest("before Linux 5.14")
        with open(knob, "w") as out:
            out.write("1")
        self.restart_one_of_two(tcp=True)

    def test_both_at_once(self):
        """Both end at the same time: nothing is left."""
        daemons = [self.begin(), self.begin()]
        for daemon in daemons:
            daemon.process.terminate()
        for daemon in daemons:
            self.assertEqual(daemon.process.wait(10), 0)
            daemon.process = None
        self.assertNotIn(V4, addresses())
        self.assertNotIn(LINK, links())
