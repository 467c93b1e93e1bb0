"""The network beneath: addresses, interfaces and routes that come and go."""
import re
import socket
import subprocess
import threading
import time
import urllib.request

import dns.exception
import dns.query

import case
from control import Ctl

NAME = "www.signed.org"
DATA = "198.18.1.1"
METRICS = "127.0.0.1:9353"
GROWTH_BYTES = 16 << 20      # of a daemon that has seen ten thousand changes


def ip(*commands):
    """Each of COMMANDS, as to ip(8); all of them in one process."""
    subprocess.run(["ip", "-batch", "-"], input="\n".join(commands) + "\n", text=True, check=True)


class Asker(threading.Thread):
    """Asks one question again and again until it is stopped, and counts what stays unanswered."""

    def __init__(self, query, address):
        super().__init__(daemon=True)
        self.query, self.address = query, address
        self.asked = self.lost = 0
        self.slowest_s = 0.0
        self.going = True

    def run(self):
        while self.going:
            begin = time.monotonic()
            try:
                dns.query.udp(self.query, self.address, 1.0)
            except (dns.exception.DNSException, OSError):
                self.lost += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - begin)
            self.asked += 1
            time.sleep(0.001)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.going = False
        self.join()


class NetworkCase(case.DaemonCase):
    """Each class has a pair of interfaces of its own, of which the first has the class's name."""
    interface = None
    patience_s = 3          # less than the time after which it looks without being told

    @classmethod
    def setUpClass(cls):
        if cls.interface:
            ip(f"link add {cls.interface} type veth peer name {cls.interface}-peer",
               f"link set {cls.interface} up", f"link set {cls.interface}-peer up")
        super().setUpClass()
        cls.ctl = Ctl(cls.net, cls.daemon)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        if cls.interface:
            subprocess.run(["ip", "link", "del", cls.interface], stderr=subprocess.DEVNULL,
                           check=False)

    def status(self):
        return self.ctl.varlink().call("Status")

    def listening(self):
        return self.status()["listen"]

    def answers(self, address):
        """Over UDP and TCP."""
        try:
            for send in dns.query.udp, dns.query.tcp:
                if not send(self.query(NAME), address, 0.3).answer:
                    return False
            return True
        except (dns.exception.DNSException, OSError):
            return False


class Interface(NetworkCase):
    interface = "named0"
    config = {"listen": ["127.0.0.1:53", "named0", "late0:5300"], "workers": 2,
              "metrics": {"listen": [METRICS]}}

    def metric(self, name):
        with urllib.request.urlopen(f"http://{METRICS}/metrics", timeout=5) as reply:
            for line in reply.read().decode().splitlines():
                if line.startswith(f"resolverd_{name} "):
                    return int(line.split()[1])
        self.fail(name)

    def test_addresses(self):
        """An address of a named interface is served as soon as it is there, over UDP and TCP, and let
        go when it goes; those who ask elsewhere meanwhile notice nothing."""
        for name in NAME, "www.pair.org":
            self.ask(name)
        changes = self.metric("listen_changes_total")
        with Asker(self.query(NAME), "127.0.0.1") as asker:
            for _ in range(3):
                ip("addr add 10.77.0.1/24 dev named0", "addr add 10.77.0.2/24 dev named0",
                   "addr add fd77::1/64 dev named0 nodad")
                for address in "10.77.0.1", "10.77.0.2", "fd77::1":
                    self.until(lambda a=address: self.answers(a), 2)
                self.assertLessEqual({"127.0.0.1:53", "10.77.0.1:53", "10.77.0.2:53",
                                      "[fd77::1]:53"}, set(self.listening()))
                count = len(self.listening())
                self.assertEqual(self.metric("listen_addresses"), count)
                ip("addr del 10.77.0.2/24 dev named0")
                self.until(lambda: "10.77.0.2:53" not in self.listening())
                self.assertTrue(self.answers("10.77.0.1"))
                ip("addr del 10.77.0.1/24 dev named0", "addr del fd77::1/64 dev named0")
                self.until(lambda: {"10.77.0.1:53", "[fd77::1]:53"}.isdisjoint(self.listening()))
        self.assertGreater(asker.asked, 100)
        self.assertEqual(asker.lost, 0)
        self.until(lambda: self.metric("listen_changes_total") >= changes + 18)
        self.assertSaid("no longer listening address=10.77.0.2:53")

    def test_link_local(self):
        """Link-local addresses too, each with its interface (RFC 4007)."""
        index = socket.if_nametoindex("named0")
        ip("addr add fe80::77/64 dev named0 nodad")
        self.until(lambda: f"[fe80::77%{index}]:53" in self.listening())
        self.until(lambda: self.answers("fe80::77%named0"))
        ip("addr del fe80::77/64 dev named0")

    def test_interface_comes_later(self):
        """An interface that is attached after the start: a doubt until then, and another port."""
        doubt = "there is no interface late0 to listen at (yet)"
        self.assertIn(doubt, self.status()["warnings"])
        self.assertSaid("listen interface is not there interface=late0")
        for _ in range(2):
            ip("link add late0 type veth peer name late0-peer", "link set late0 up",
               "link set late0-peer up", "addr add 10.78.0.1/24 dev late0")
            self.until(lambda: "10.78.0.1:5300" in self.listening())
            self.assertData(dns.query.udp(self.query(NAME), "10.78.0.1", 1, port=5300), DATA)
            self.assertNotIn(doubt, self.status()["warnings"])
            ip("link del late0")
            self.until(lambda: "10.78.0.1:5300" not in self.listening())
            self.assertIn(doubt, self.status()["warnings"])

    def test_connections_stay(self):
        """Who is connected when the address goes is served on once it is back."""
        ip("addr add 10.77.1.1/24 dev named0")
        self.until(lambda: self.answers("10.77.1.1"))
        with socket.create_connection(("10.77.1.1", 53), 5) as sock:
            sock.sendall(case.framed(self.query(NAME)))
            case.read_messages(sock, 1)
            ip("addr del 10.77.1.1/24 dev named0")
            self.until(lambda: "10.77.1.1:53" not in self.listening())
            ip("addr add 10.77.1.1/24 dev named0")
            self.until(lambda: self.answers("10.77.1.1"))
            sock.sendall(case.framed(self.query(NAME)))
            case.read_messages(sock, 1)
        ip("addr del 10.77.1.1/24 dev named0")

    def test_waiting_clients(self):
        """An address goes while somebody who asked there waits for a silent server: nothing is left
        behind, and whoever has the slot of its socket next gets no answers of others."""
        self.net.servers["pair-a"].link.silent = self.net.servers["pair-b"].link.silent = True
        self.addCleanup(self.net.heal)
        ip("addr add 10.77.2.1/24 dev named0")
        self.until(lambda: self.answers("10.77.2.1"))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            for number in range(60, 70):
                sock.sendto(self.query(f"n{number}.pair.org").to_wire(), ("10.77.2.1", 53))
            self.until(lambda: self.status()["open_queries"] > 0)
            ip("addr del 10.77.2.1/24 dev named0")
            self.until(lambda: "10.77.2.1:53" not in self.listening())
            ip("addr add 10.77.2.2/24 dev named0")
            self.until(lambda: self.answers("10.77.2.2"))
            self.net.heal()
            time.sleep(0.5)
        self.assertTrue(self.answers("10.77.2.2"))
        ip("addr del 10.77.2.2/24 dev named0")

    def test_storm(self):
        """Ten thousand changes: the daemon answers meanwhile, does not grow, serves as many addresses
        as it can, says that there are more, and has all that is left right in the end."""
        hosts = [f"10.{80 + i // 250}.{i % 250}.1/32" for i in range(5000)]
        ip("addr add 10.77.3.1/24 dev named0")
        self.until(lambda: self.answers("10.77.3.1"))
        self.ctl.varlink().call("Status")
        before = self.daemon.rss_bytes()
        with Asker(self.query(NAME), "127.0.0.1") as one, \
                Asker(self.query(NAME), "10.77.3.1") as other:
            ip(*[f"addr add {host} dev named0" for host in hosts])
            self.until(lambda: any("more addresses" in w for w in self.status()["warnings"]))
            self.assertEqual(len(self.listening()), 64)
            ip(*[f"addr del {host} dev named0" for host in hosts])
            self.until(lambda: not any("more addresses" in w for w in self.status()["warnings"]), 10)
        for asker in one, other:
            self.assertGreater(asker.asked, 0)
            self.assertEqual(asker.lost, 0)
        self.until(lambda: not [a for a in self.listening() if a.startswith("10.8")])
        self.assertIn("10.77.3.1:53", self.listening())
        self.assertLess(self.daemon.rss_bytes(), before + GROWTH_BYTES)
        ip("addr del 10.77.3.1/24 dev named0")

    def test_wildcard_covers(self):
        """Addresses that a wildcard serves already are not bound beside it."""
        daemon = self.net.resolver({"listen": ["0.0.0.0:5353", "named0:5353"]}, port=5353)
        self.addCleanup(daemon.stop)
        daemon.start()
        ip("addr add 10.77.4.1/24 dev named0")
        time.sleep(0.3)
        reply = dns.query.udp(self.query(NAME), "10.77.4.1", 1, port=5353)
        self.assertData(reply, DATA)
        listening = Ctl(self.net, daemon).json("status")["listen"]
        self.assertNotIn("10.77.4.1:5353", listening)
        self.assertIn("0.0.0.0:5353", listening)
        ip("addr del 10.77.4.1/24 dev named0")


class Inherited(NetworkCase):
    """The service manager holds a socket for an address of a named interface."""
    interface = "held0"
    config = {"listen": ["127.0.0.1:53"]}

    def test_inherited(self):
        """It is used, by all workers; let go when the address goes, and taken up again."""
        ip("addr add 10.74.0.1/24 dev held0")
        daemon = self.net.resolver({"listen": ["held0"], "workers": 2}, address="10.74.0.1")
        daemon.hold_sockets()
        self.addCleanup(lambda: [sock.close() for sock in daemon.held])
        daemon.start()
        ctl = Ctl(self.net, daemon)
        for _ in range(3):
            self.until(lambda: self.answers("10.74.0.1"))
            self.assertIn("10.74.0.1:53", ctl.json("status")["listen"])
            ip("addr del 10.74.0.1/24 dev held0")
            self.until(lambda: "10.74.0.1:53" not in ctl.json("status")["listen"])
            ip("addr add 10.74.0.1/24 dev held0")
        self.until(lambda: self.answers("10.74.0.1"))
        self.assertSaid("inherited socket address=10.74.0.1:53 transport=udp", daemon)
        self.assertEqual(daemon.stop(), 0, daemon.said())
        self.assertNotIn("sandbox refused", daemon.said())
        self.assertNotIn("cannot listen", daemon.said())


class Address(NetworkCase):
    """Addresses of the configuration that the machine does not have at the start."""
    interface = "fixed0"
    config = {"listen": ["127.0.0.1:53", "10.79.0.1:53", "[fd79::1]:53"],
              "metrics": {"listen": [METRICS]}}

    def readiness(self):
        with urllib.request.urlopen(f"http://{METRICS}/readyz", timeout=5) as reply:
            return reply.read().decode()

    def test_absent(self):
        self.assertSaid("listen address is not there address=10.79.0.1:53")
        self.assertEqual(self.listening(), ["127.0.0.1:53"])
        self.assertIn("10.79.0.1:53 is not an address of this machine (yet)",
                      self.status()["warnings"])
        self.assertIn("degraded: [fd79::1]:53 is not an address", self.readiness())
        ip("addr add 10.79.0.1/24 dev fixed0", "addr add fd79::1/64 dev fixed0 nodad")
        self.until(lambda: self.answers("10.79.0.1") and self.answers("fd79::1"), 1)
        self.until(lambda: len(self.listening()) == 3)
        self.assertEqual(self.status()["warnings"], [])
        self.assertNotIn("degraded", self.readiness())
        ip("addr del 10.79.0.1/24 dev fixed0", "addr del fd79::1/64 dev fixed0")
        self.until(lambda: self.listening() == ["127.0.0.1:53"])


class Metrics(NetworkCase):
    """metrics.listen at an address that the machine does not have at the start."""
    interface = "scrape0"
    config = {"listen": ["127.0.0.1:53"], "metrics": {"listen": [METRICS, "10.69.0.1:9353"]}}

    def test_absent(self):
        told = "metrics: 10.69.0.1:9353 is not an address of this machine (yet)"
        self.until(lambda: "metrics address is not there address=10.69.0.1:9353" in self.daemon.said())
        self.assertEqual(self.status()["warnings"], [told])
        with urllib.request.urlopen(f"http://{METRICS}/readyz", timeout=5) as reply:
            self.assertIn(f"degraded: {told}", reply.read().decode())
        ip("addr add 10.69.0.1/24 dev scrape0")
        with urllib.request.urlopen("http://10.69.0.1:9353/healthz", timeout=5) as reply:
            self.assertEqual(reply.read(), b"ok\n")
        self.assertEqual(self.status()["warnings"], [])


class MetricsOfInterface(NetworkCase):
    """An interface in metrics.listen stands for its addresses, as in listen."""
    interface = "scrape1"
    config = {"listen": ["127.0.0.1:53"], "metrics": {"listen": [METRICS, "scrape1:9354", "late1"]}}

    def fetch(self, address):
        try:
            with urllib.request.urlopen(f"http://{address}:9354/healthz", timeout=1) as reply:
                return reply.read()
        except OSError:
            return None

    def test_follows(self):
        doubt = "metrics: there is no interface late1 to listen at (yet)"
        self.assertEqual(self.status()["warnings"], [doubt])
        self.assertIn("metrics.listen scrape1:9354", re.sub(" +", " ", self.ctl.text("config", "show")))
        ip("addr add 10.69.1.1/24 dev scrape1", "addr add 2001:db8:69::1/64 dev scrape1 nodad")
        for address in "10.69.1.1", "[2001:db8:69::1]":
            self.until(lambda: self.fetch(address) == b"ok\n", 5)
        self.assertSaid("metrics served address=10.69.1.1:9354")
        ip("addr del 10.69.1.1/24 dev scrape1")
        self.until(lambda: "metrics not served any more address=10.69.1.1:9354" in self.daemon.said(), 5)
        self.assertEqual(self.fetch("[2001:db8:69::1]"), b"ok\n")
        ip("link add late1 type veth peer name late1-peer")
        self.addCleanup(ip, "link del late1")
        self.until(lambda: self.status()["warnings"] == [], 5)


class Reload(NetworkCase):
    """listen changes with the configuration, under queries."""
    interface = "reload0"
    config = {"listen": ["127.0.0.1:53"], "workers": 2}

    def listen(self, *places):
        self.daemon.configure({**self.config, "listen": list(places)})
        self.ctl.varlink().call("ConfigReload")

    def test_reload(self):
        ip("addr add 10.76.0.1/24 dev reload0")
        self.ask(NAME)
        with Asker(self.query(NAME), "127.0.0.1") as asker:
            for _ in range(3):
                self.listen("127.0.0.1:53", "127.0.0.9:53")
                self.until(lambda: self.answers("127.0.0.9"))
                self.listen("reload0", "127.0.0.1:53")
                self.until(lambda: self.answers("10.76.0.1"))
                self.until(lambda: not self.answers("127.0.0.9"))
                self.assertIn("10.76.0.1:53", self.listening())
                self.listen("127.0.0.1:53")
                self.until(lambda: self.listening() == ["127.0.0.1:53"])
        self.assertGreater(asker.asked, 100)
        self.assertEqual(asker.lost, 0)
        self.assertNotIn("key=listen", self.daemon.said())

    def test_taken(self):
        """Somebody else has the address: told, and tried again until it is free."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.8", 53))
            self.listen("127.0.0.1:53", "127.0.0.8:53")
            self.until(lambda: "127.0.0.8:53 is not served: Address already in use" in
                       self.status()["warnings"])
            self.assertTrue(self.answers("127.0.0.1"))
        self.until(lambda: self.answers("127.0.0.8"))
        self.assertSaid("cannot listen address=127.0.0.8:53", times=1)
        self.listen("127.0.0.1:53")


class Waiting(NetworkCase):
    """Not one address is there at the start."""
    interface = "wait0"
    config = {"listen": ["wait0"], "workers": 1}
    options = {"address": "10.75.0.1"}

    @classmethod
    def setUpClass(cls):
        start, cls.net = case.NET.resolver, case.NET
        def resolver(config, **options):
            daemon = start(config, **options)
            daemon.wait, daemon.really_wait = lambda: None, daemon.wait
            return daemon
        case.NET.resolver = resolver
        try:
            super().setUpClass()
        finally:
            case.NET.resolver = start

    def test_waits(self):
        self.until(lambda: "started " in self.daemon.said())
        ip("addr add 10.75.0.1/24 dev wait0")
        self.daemon.really_wait()
        self.assertData(self.ask(NAME), DATA)
        self.until(lambda: "10.75.0.1:53" in self.listening())


class RouteCase(NetworkCase):
    config = {"prefetch": {"enabled": False}, "serve-stale": {"enabled": False}, "workers": 2}

    def route(self, verb):
        line = f"network change family=ipv6 usable={'true' if verb == 'add' else 'false'}"
        before = self.daemon.said().count(line)
        subprocess.run(["ip", "-6", "route", verb, "default", "dev", "lo"], check=True)
        self.until(lambda: self.daemon.said().count(line) == before + 1, 2)


class Routes(RouteCase):
    def test_lost_while_waiting(self):
        """Who waits for a server over IPv6 when the route is lost is not left waiting for it."""
        six = self.net.servers["six"]
        zone = six.zones[0].name
        self.ask(zone, "SOA")
        six.link.silent = True
        self.addCleanup(self.net.heal)
        replies = []
        asker = threading.Thread(target=lambda: replies.append(
            self.timed("nothing." + zone, "TXT", timeout=5)))
        asker.start()
        self.until(lambda: self.net.queries(server="six"))
        self.route("del")
        asker.join()
        self.route("add")
        reply, took = replies[0]
        self.assertStatus(reply, "SERVFAIL")
        self.assertIn("the route to IPv6 servers was lost", [e.text for e in case.edes(reply)])
        self.assertLess(took, 1.0)

    def test_ipv6_lost_and_found(self):
        """Without a route no server is asked over IPv6 and nobody waits for it; with one they are."""
        six = self.net.servers["six"]
        zone = six.zones[0].name
        for turn in range(2):
            self.route("del")
            self.ctl.varlink().call("CacheFlush", all=True)
            self.net.clear_queries()
            times = []
            for number in range(10):
                reply, took = self.timed(f"n{10 * turn + number}.pair.org")
                self.assertStatus(reply, "NOERROR")
                times.append(took)
            self.assertLess(max(times), 1.0)
            reply = self.ask(zone, "SOA")
            self.assertStatus(reply, "SERVFAIL")
            self.assertEqual([q for q in self.net.queries() if q.server == "six"], [])
            self.route("add")
            self.ctl.varlink().call("CacheFlush", all=True)
            self.assertStatus(self.ask(zone, "SOA"), "NOERROR")
            self.assertTrue([q for q in self.net.queries() if q.server == "six"])


    def test_ipv6_leads_nowhere(self):
        """What is sent over IPv6 vanishes, in whatever network: status says so, until a reply comes."""
        def warnings():
            return [w for w in self.ctl.json("status")["warnings"] if "IPv6 leads nowhere" in w]
        six = self.net.servers["six"].zones[0].name
        self.assertStatus(self.ask("www.pair.org"), "NOERROR")
        self.assertStatus(self.ask(six, "SOA"), "NOERROR")
        self.assertEqual(warnings(), [])
        self.assertStatus(self.ask("www.deadsix.org"), "SERVFAIL")
        self.assertStatus(self.ask("n150.pair.org"), "NOERROR")
        self.until(warnings, 10)
        self.assertStatus(self.ask("six.org", "TXT"), "NOERROR")
        self.assertEqual(warnings(), [])


class Nearby(RouteCase):
    config = dict(RouteCase.config, **{"stub-zones": [
        {"name": "six.org.", "servers": ["[2001:db8:1::50]"]}]})

    def test_without_route(self):
        """A configured server is asked over IPv6 though no route leads to the rest of the world."""
        self.route("del")
        self.addCleanup(self.route, "add")
        self.assertData(self.ask("www.six.org"), DATA)

    def test_lost_while_asked(self):
        """... and what it is being asked when the route is lost is waited for."""
        six = self.net.servers["six"]
        six.link.delay_s = 0.4
        self.addCleanup(self.net.heal)
        self.ctl.varlink().call("CacheFlush", all=True)
        self.net.clear_queries()
        replies = []
        asker = threading.Thread(target=lambda: replies.append(self.ask("www.six.org")))
        asker.start()
        self.until(lambda: self.net.queries(server="six"))
        self.addCleanup(self.route, "add")
        self.route("del")
        asker.join()
        self.assertData(replies[0], DATA)
