"""HTTP: /metrics, /healthz, /readyz."""
import http.client
import os
import re
import socket
import threading
import time

import case
from control import Ctl

PORT = 9253


class Metrics(case.DaemonCase):
    config = {"metrics": {"listen": [f"127.0.0.1:{PORT}", f"[::1]:{PORT}"],
                          "health": [f"127.0.0.1:{PORT + 1}"]}, "workers": 2}

    def get(self, path, method="GET", host="127.0.0.1", timeout=5):
        link = http.client.HTTPConnection(host, PORT, timeout=timeout)
        try:
            link.request(method, path)
            reply = link.getresponse()
            return reply.status, reply.read().decode(), reply
        finally:
            link.close()

    def samples(self):
        status, text, reply = self.get("/metrics")
        self.assertEqual(status, 200)
        self.assertEqual(reply.getheader("Content-Type"), "text/plain; version=0.0.4; charset=utf-8")
        return {k: int(v) for k, v in re.findall(r"(?m)^(resolverd_\w+)(?:\{.*?\})? (\d+)$", text)}

    def test_format(self):
        """Samples have HELP and TYPE before them, once; the names are those of the document."""
        text = self.get("/metrics")[1]
        found = []
        for part in text.split("# HELP ")[1:]:
            help_line, type_line, *samples = part.splitlines()
            name = re.fullmatch(r"(resolverd_\w+) \S.*", help_line)[1]
            kind = re.fullmatch(rf"# TYPE {name} (counter|gauge|histogram)", type_line)[1]
            tail = "(_bucket|_sum|_count)" if kind == "histogram" else ""
            self.assertTrue(samples)
            for sample in samples:
                self.assertRegex(sample, rf"^{name}{tail}(\{{\w+=\"[^\"]*\"\}})? [\d.]+$")
            self.assertEqual(kind == "counter", name.endswith("_total"), name)
            found.append(name)
        self.assertTrue(text.startswith("# HELP "))
        self.assertEqual(len(found), len(set(found)))
        path = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "metrics.md")
        with open(path) as document:
            told = re.findall(r"(?m)^\| `(resolverd_\w+)", document.read())
        self.assertEqual(found, told)

    def test_counts(self):
        while "started" not in self.daemon.said():
            time.sleep(0.01)    # it asks itself before it says so
        before = self.samples()
        for _ in range(10):
            self.ask("www.signed.org")
        self.ask("www.signed.org", tcp=True)
        after = self.samples()
        self.assertEqual(after["resolverd_queries_udp_total"],
                         before["resolverd_queries_udp_total"] + 10)
        self.assertEqual(after["resolverd_queries_tcp_total"],
                         before["resolverd_queries_tcp_total"] + 1)
        self.assertGreater(after["resolverd_cache_entries"], 0)
        self.assertEqual(after["resolverd_workers_turning"], 2)
        counters = Ctl(self.net, self.daemon).json("stats")["counters"]
        for name, total in counters.items():
            self.assertGreaterEqual(total, after["resolverd_" + name])

    def test_latency(self):
        """Hits and misses are told apart; answers over TCP and servers' replies are measured."""
        self.ask("first.signed.org")
        before = self.samples()
        self.ask("never-asked.signed.org")
        for _ in range(200):
            self.ask("www.signed.org")
        for _ in range(3):
            self.ask("www.signed.org", tcp=True)
        after = self.samples()

        def grown(name):
            return after[f"resolverd_{name}_count"] - before[f"resolverd_{name}_count"]
        # One batch in 64, and nearly all batches here are of one.
        self.assertIn(grown("hit_latency_seconds"), range(1, 10))
        self.assertEqual(grown("hit_latency_seconds"), grown("udp_answer_bytes"))
        self.assertIn(grown("miss_latency_seconds"), range(1, 4))
        self.assertGreaterEqual(grown("upstream_rtt_seconds"), 1)
        self.assertEqual(grown("tcp_answer_bytes"), 3)

    def test_health(self):
        for host in "127.0.0.1", "::1":
            self.assertEqual(self.get("/healthz", host=host)[:2], (200, "ok\n"))
        before = self.samples()
        self.assertEqual(self.get("/readyz")[:2], (200, "ok\n"))
        after = self.samples()
        for transport in "udp", "tcp":
            name = f"resolverd_queries_{transport}_total"
            self.assertEqual(after[name], before[name] + 1, "readiness is asked for, really")

    def test_requests(self):
        self.assertEqual(self.get("/nothing")[0], 404)
        self.assertEqual(self.get("/metrics", "POST")[0], 405)
        status, text, reply = self.get("/metrics", "HEAD")
        self.assertEqual((status, text), (200, ""))
        self.assertGreater(int(reply.getheader("Content-Length")), 1000)
        self.assertEqual(self.get("/")[0], 200)

    def test_rude_clients(self):
        """Idle and half-sent requests, garbage: scraping goes on, and so does DNS."""
        socks = []
        for garbage in [b"", b"GET /met", b"\xff" * 100, b"GET / HTTP/1.1\r\nA: " + b"x" * 50000] * 10:
            sock = socket.create_connection(("127.0.0.1", PORT))
            try:
                sock.sendall(garbage)
            except ConnectionError:
                pass
            socks.append(sock)
        self.assertTrue(self.samples())
        self.assertData(self.ask("www.signed.org"), "198.18.1.1")
        for sock in socks:
            sock.close()

    def connect(self, host, garbage, to="127.0.0.1", port=PORT):
        """A connection from HOST that has sent GARBAGE."""
        sock = socket.create_connection((to, port), timeout=5, source_address=(host, 0))
        sock.sendall(garbage)
        return sock

    def test_fairness(self):
        """One address that takes all connections keeps nobody else out."""
        before = self.samples()["resolverd_shares_http_total"]
        hog = [self.connect("127.0.0.7", b"GET /met") for _ in range(100)]
        for path in "/healthz", "/readyz", "/metrics":
            self.assertEqual(self.get(path)[0], 200)
        self.assertGreater(self.samples()["resolverd_shares_http_total"], before)
        for sock in hog:
            sock.close()

    def test_left_behind(self):
        """Who has left half requests behind is not kept out by them."""
        for _ in range(20):
            for _ in range(100):
                self.connect("127.0.0.1", b"GET /met").close()
            self.assertEqual(self.get("/metrics")[0], 200)

    def test_time(self):
        """A request that trickles in ends in time, counted from its beginning."""
        sock = self.connect("127.0.0.8", b"GET /metrics HTTP/1.1\r\nA: ")
        begun, ended = time.monotonic(), None
        while not ended and time.monotonic() < begun + 20:
            try:
                sock.sendall(b"x")
                time.sleep(0.2)
                sock.setblocking(False)
                ended = sock.recv(100) == b"" and time.monotonic()
            except BlockingIOError:
                sock.setblocking(True)
            except ConnectionError:
                ended = time.monotonic()
        self.assertTrue(ended, "it is ended")
        self.assertGreater(ended - begun, 8)

    def test_health_alone(self):
        """Where health is served by itself there is nothing else."""
        for path, status in ("/healthz", 200), ("/readyz", 200), ("/metrics", 404), ("/", 404):
            link = http.client.HTTPConnection("127.0.0.1", PORT + 1, timeout=5)
            link.request("GET", path)
            self.assertEqual(link.getresponse().status, status)
            link.close()
        hog = [self.connect("127.0.0.1", b"GET /met") for _ in range(100)]
        link = http.client.HTTPConnection("127.0.0.1", PORT + 1, timeout=5)
        link.request("GET", "/healthz")     # of the same client that has taken all of the others
        self.assertEqual(link.getresponse().status, 200)
        link.close()
        for sock in hog:
            sock.close()

    def test_scraping_and_serving(self):
        """Scraped without pause, every question is answered."""
        stop, scrapes = threading.Event(), []

        def scrape():
            while not stop.is_set():
                scrapes.append(self.get("/metrics")[0])
        thread = threading.Thread(target=scrape)
        thread.start()
        times = sorted(self.timed("www.signed.org")[1] for _ in range(300))
        stop.set()
        thread.join()
        self.assertEqual(set(scrapes), {200})
        self.assertLess(times[len(times) // 2], 0.05)


class Standstill(case.DaemonCase):
    config = {"metrics": {"listen": [f"127.0.0.1:{PORT + 1}"]}, "workers": 1}

    def get(self, path):
        link = http.client.HTTPConnection("127.0.0.1", PORT + 1, timeout=10)
        link.request("GET", path)
        reply = link.getresponse()
        return reply.status, reply.read().decode()

    def until_status(self, path, wanted):
        """What PATH says once its status is WANTED."""
        deadline = time.monotonic() + 30
        while (said := self.get(path))[0] != wanted and time.monotonic() < deadline:
            time.sleep(0.1)
        self.assertEqual(said[0], wanted, said[1])
        return said[1]

    def test_not_ready(self):
        """A daemon that does not answer is not taken for a good one, until it does."""
        self.until_status("/readyz", 200)
        with case.held_worker(self.daemon.process.pid):
            text = self.until_status("/readyz", 503)
            self.assertIn("no answer over UDP from 127.0.0.1:53", text)
            self.assertIn("no answer over TCP from 127.0.0.1:53", text)
        self.until_status("/readyz", 200)

    @case.slow
    def test_not_alive(self):
        """A worker that stands still is named."""
        with case.held_worker(self.daemon.process.pid):
            text = self.until_status("/healthz", 503)
            self.assertRegex(text, r"^worker 0 has stood still for \d+ s\n$")
        self.assertEqual(self.until_status("/healthz", 200), "ok\n")


class Degraded(case.DaemonCase):
    config = {"metrics": {"listen": [f"127.0.0.1:{PORT + 2}"]},
              "cache": {"path": "/proc/no/such/place"}}

    def test_ready_with_doubts(self):
        """What is not as it should be is named by readiness and status, which stays ready."""
        link = http.client.HTTPConnection("127.0.0.1", PORT + 2, timeout=5)
        link.request("GET", "/readyz")
        reply = link.getresponse()
        self.assertEqual(reply.status, 200)
        self.assertIn("degraded: the cache is not kept on disk", reply.read().decode())
        self.assertIn("not kept on disk", Ctl(self.net, self.daemon).text("status"))


class NotReady(case.DaemonCase):
    config = {"metrics": {"listen": [f"127.0.0.1:{PORT + 3}"]},
              "dnssec": {"trust-anchors": [". DS 1 8 2 " + 64 * "0"]}}

    def test_not_ready(self):
        """Where the root cannot be validated nothing is answered: not ready, nowhere an "ok"."""
        self.assertStatus(self.ask("www.signed.org"), "SERVFAIL")
        link = http.client.HTTPConnection("127.0.0.1", PORT + 3, timeout=5)
        link.request("GET", "/readyz")
        reply = link.getresponse()
        lines = reply.read().decode().splitlines()
        self.assertEqual(reply.status, 503)
        self.assertEqual(lines[:2], [f"no answer over {t} from 127.0.0.1:53" for t in ("UDP", "TCP")])
        self.assertIn("degraded: no key of an anchored zone matched", lines[2])


class Taken(case.DaemonCase):
    config = {"metrics": {"listen": [f"127.0.0.1:{PORT + 4}"]}}

    def test_second_instance(self):
        """Who comes second says so, answers questions, and serves as soon as the port is free."""
        second = self.net.resolver({"listen": ["127.0.0.4:53"], **self.config}, address="127.0.0.4")
        second.start()
        self.addCleanup(lambda: second.process and second.stop())
        where = f"127.0.0.1:{PORT + 4}"
        self.assertSaid(f'metrics not served address={where} reason="Address already in use"', second,
                        times=1)
        ctl = Ctl(self.net, second)
        self.assertEqual(ctl.json("status")["warnings"],
                         [f"metrics: {where} is not served: Address already in use"])
        self.assertEqual(Ctl(self.net, self.daemon).json("status")["warnings"], [])
        self.daemon.stop()
        self.addCleanup(self.daemon.start)      # for the class, which ends it
        self.until(lambda: f"metrics served address={where}" in second.said(), 5)
        link = http.client.HTTPConnection("127.0.0.1", PORT + 4, timeout=5)
        link.request("GET", "/healthz")
        self.assertEqual(link.getresponse().read(), b"ok\n")
        self.assertEqual(ctl.json("status")["warnings"], [])
        self.assertSaid("metrics not served", second, times=1)


class Off(case.DaemonCase):
    def test_off_by_default(self):
        with socket.socket() as sock:
            self.assertNotEqual(sock.connect_ex(("127.0.0.1", PORT)), 0)
