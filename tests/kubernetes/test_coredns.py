"""The real CoreDNS in front of the daemon, and pods in front of CoreDNS: whatever happens behind, not
one lookup fails.

Two ways to deploy: one appliance whose sockets the service manager holds, and two appliances that
hold their own. In front of either, CoreDNS twice: asking over UDP, and with force_tcp and prefetch."""
import os
import signal
import time

import case
from cluster import CoreDNS, Pod, resolv_conf
from wire import BACKEND_PORT

APPLIANCES = ["10.0.1.53", "10.0.2.53"]
DOMAIN = "eu-west-1.compute.internal."
# A minute or more by hand: make kubernetes OUTAGE_S=60
OUTAGE_S = int(os.environ.get("OUTAGE_S", "20"))
COLD_COUNT = 250        # more than one pod asks in the longest test that has any

HOT = [
    # An alias and an address with TTL 5, as managed services have.
    "4 db.cluster-abc.eu-west-1.rds.amazonaws.com 10.0.1.11",
    "0 db.cluster-ro-abc.eu-west-1.rds.amazonaws.com 10.0.2.12",
    "0 master.sessions.abc.euw1.cache.amazonaws.com 10.0.1.21",
    # From another zone, and with the whole search list before it.
    "0 db.plain.com 10.0.1.11",
    "4 ttl5.signed.org 198.18.1.5",
    "4 ttl2.nsec3.org 198.18.1.2",
    "0 www.signed.org 2001:db8:80::1",
    "6 www.signed.com 2001:db8:80::1",
    "0 www.unsigned.org 198.18.1.1",
    "0 chain1.signed.org 198.18.1.1",
    # More than UDP carries.
    "0 crowd.big.org 198.18.7.99",
    # What is not there must not be there, rather than fail.
    "0 nothing.signed.org none",
    "0 kubernetes.default 10.96.0.1",
]


def cold(first, count):
    """Names that nobody has asked for yet, each twice the work: both families, and the search list."""
    return [f"0 n{i}.unsigned.org -" if i % 5 else f"0 n{i // 5}.signed.org -"
            for i in range(first, first + count)]


class Deployment:
    """Everything is started once for a class; each test has pods of its own."""
    config = {
        "workers": 2,
        "prefetch": {"zones": [{"name": "amazonaws.com.", "min-hits": 1, "remaining": "80%",
                                "hold": "30s"}]},
        # Which names live there the provider's resolver need not be asked.
        "forward-zones": [{"name": DOMAIN, "servers": ["198.51.100.90:53"], "only": ["ip-*", "i-*"],
                           "insecure": True}],
    }
    addresses, held, port = [], False, 53
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.net = case.NET
        cls.net.add_addresses(cls.addresses)
        cls.daemons, cls.corednses, cls.fresh = [], [], 0
        for address in cls.addresses:
            daemon = cls.net.resolver({**cls.config, "listen": [f"{address}:{cls.port}"]},
                                      address=address, port=cls.port)
            if cls.held:
                daemon.hold_sockets()
            cls.daemons.append(daemon.start())
        for address, forward, cache in ("10.96.0.10", [], []), \
                                       ("10.96.0.11", ["force_tcp"], ["prefetch 1 10m 80%"]):
            cls.corednses.append(CoreDNS(cls.net, address, forward=forward, cache=cache,
                                         to=cls.addresses).start())

    @classmethod
    def tearDownClass(cls):
        case.NET.heal()
        for coredns in cls.corednses:
            coredns.stop()
        statuses = [daemon.stop() for daemon in cls.daemons]
        for sock in [sock for daemon in cls.daemons for sock in daemon.held]:
            sock.close()
        assert not any(statuses), statuses
        refused = [line for daemon in cls.daemons for line in daemon.said().splitlines()
                   if "sandbox refused" in line]
        assert not refused, refused

    def setUp(self):
        super().setUp()
        self.pods = []
        self.addCleanup(self.net.heal)

    def add_pods(self, with_cold=True):
        """Pods of every sort: how they are told to ask, and whom."""
        udp, tcp = (coredns.address for coredns in self.corednses)
        sorts = [("plain", udp, "ndots:5"), ("use-vc", udp, "ndots:5 use-vc"),
                 ("reopen", tcp, "ndots:5 single-request-reopen"), ("edns0", tcp, "ndots:5 edns0")]
        for name, server, options in sorts:
            self.pods.append(Pod(self.net, name, resolv_conf(server, options), HOT, 10))
        # Alpine's C library: it asks everything at once, and takes of an answer what UDP carries.
        self.pods.append(Pod(self.net, "musl", resolv_conf(udp),
                             [line.replace("198.18.7.99", "-") for line in HOT], 10, "pod-musl"))
        for name, server in ("cold-udp", udp), ("cold-tcp", tcp):
            if with_cold:
                self.pods.append(Pod(self.net, name, resolv_conf(server),
                                     cold(self.fresh, COLD_COUNT), 8))
                type(self).fresh += COLD_COUNT
        for pod in self.pods:
            pod.start()
            self.addCleanup(self.net.end, pod.process)

    def end_pods(self):
        """Nobody has seen a failure."""
        asked, failures, slow, slowest = 0, [], 0, 0
        for pod in self.pods:
            figures, failed = pod.end()
            self.assertGreater(figures["asked"], 20, pod.name)
            asked, failures = asked + figures["asked"], failures + failed
            slow, slowest = slow + figures["slow"], max(slowest, figures["slowest_ms"])
        print(f"{self.id()}: asked={asked} failed={len(failures)} slow={slow} slowest_ms={slowest}",
              flush=True)
        told = [line for coredns in self.corednses for line in coredns.said().splitlines()
                if "ERROR" in line]
        self.assertEqual(failures, [], f"of {asked}; CoreDNS: {told[-20:]}")


class Events:
    """What may happen behind CoreDNS."""

    def test_restart(self):
        """Each appliance ends and comes back, as for an upgrade, three times."""
        self.add_pods()
        time.sleep(3)
        for _ in range(3):
            for daemon in self.daemons:
                self.assertEqual(daemon.stop(), 0, daemon.said()[-2000:])
                time.sleep(0.5)
                daemon.start()
                time.sleep(1)
        time.sleep(2)
        self.end_pods()

    def test_crash(self):
        """Each appliance is killed and started again, twice."""
        self.add_pods()
        time.sleep(3)
        for _ in range(2):
            for daemon in self.daemons:
                daemon.process.send_signal(signal.SIGKILL)
                daemon.process.wait()
                daemon.stop()
                time.sleep(1)
                daemon.start()
                time.sleep(2)
        time.sleep(2)
        self.end_pods()

    def test_outage(self):
        """No authoritative server answers; what is asked for often does not notice, not even when an
        appliance restarts meanwhile."""
        self.add_pods(with_cold=False)
        time.sleep(8)
        for server in self.net.servers.values():
            server.link.silent = True
        time.sleep(OUTAGE_S / 2)
        for daemon in self.daemons:
            self.assertEqual(daemon.stop(), 0, daemon.said()[-2000:])
            daemon.start()
        time.sleep(OUTAGE_S / 2)
        self.net.heal()
        time.sleep(3)
        self.end_pods()


class OneAppliance(Events, Deployment, case.DaemonCase):
    """Its sockets are held by the service manager."""
    addresses, held = APPLIANCES[:1], True

    def test_loss(self):
        """Of what goes to the authoritative servers and comes from them, 2 % is lost."""
        for server in self.net.servers.values():
            server.link.loss = 0.02
        self.add_pods()
        time.sleep(15)
        self.end_pods()


class LossyPath(Deployment, case.DaemonCase):
    """Between CoreDNS and one appliance there is a wire, as between two zones of a region."""
    addresses, port = APPLIANCES[:1], BACKEND_PORT

    @classmethod
    def setUpClass(cls):
        cls.net = case.NET
        cls.net.add_addresses(cls.addresses)
        cls.link = cls.net.wire.add("path", cls.addresses)
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.net.wire.close(cls.link)

    def test_path(self):
        """Of the UDP packets between CoreDNS and the appliance, half a percent is lost. Three times in
        a row fails a lookup: there is nobody else to ask, and no time for a fourth."""
        self.link.loss = 0.005
        self.add_pods()
        time.sleep(15)
        self.link.loss = 0
        self.end_pods()


class TwoAppliances(Events, Deployment, case.DaemonCase):
    addresses = APPLIANCES

    def test_frozen(self):
        """One of them does not answer any more, as if its machine were gone, and comes back."""
        self.add_pods()
        time.sleep(3)
        self.daemons[0].process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.daemons[0].process.send_signal, signal.SIGCONT)
        time.sleep(10)
        self.daemons[0].process.send_signal(signal.SIGCONT)
        time.sleep(3)
        self.end_pods()


class StubDomain(case.DaemonCase):
    """Corefile.amazonaws: the managed services are asked of the appliance, and nothing else is."""
    config = {"log": {"level": "info", "queries": True}}
    options = {"address": APPLIANCES[0]}

    @classmethod
    def setUpClass(cls):
        case.NET.add_addresses(APPLIANCES)
        super().setUpClass()
        cls.provider = cls.net.resolver(cls.config, address="10.0.0.2")
        cls.net.add_addresses(["10.0.0.2"])
        cls.provider.start()
        cls.coredns = CoreDNS(cls.net, "10.96.0.10", "Corefile.amazonaws", to=APPLIANCES[:1],
                              nameserver="10.0.0.2").start()

    @classmethod
    def tearDownClass(cls):
        cls.coredns.stop()
        cls.provider.stop()
        super().tearDownClass()

    def test_split(self):
        managed = "db.cluster-abc.eu-west-1.rds.amazonaws.com"
        self.assertData(self.ask(managed, address="10.96.0.10"), "db-instance-1.abc.eu-west-1.rds."
                        "amazonaws.com.", "10.0.1.11")
        self.assertData(self.ask("www.plain.com", address="10.96.0.10"), "198.18.1.1")
        for resolver, mine, other in (self.daemon, managed, "www.plain.com"), \
                                     (self.provider, "www.plain.com", managed):
            self.assertIn(f"name={mine}.", resolver.said())
            self.assertNotIn(f"name={other}.", resolver.said())
