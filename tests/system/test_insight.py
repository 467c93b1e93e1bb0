"""What the operator sees of resolution: traces."""
import threading
import time

import case
from control import Ctl, VarlinkError


class InsightCase(case.DaemonCase):
    config = {"prefetch": {"enabled": False}, "serve-stale": {"enabled": False}}

    def setUp(self):
        super().setUp()
        self.net.heal()
        self.ctl = Ctl(self.net, self.daemon)

    def trace(self, name, rrtype="A", *options):
        reply = self.ctl.json("trace", name, rrtype, *options)
        self.assertIsNone(reply["problem"])
        return reply["trace"]

    def texts(self, trace, kind=None):
        return [s["text"] for s in trace["steps"] if kind in (None, s["kind"])]


class Trace(InsightCase):
    def test_from_root(self):
        """Every zone on the way, every packet with its server and time, what came back."""
        self.ctl.text("cache", "flush", "--all")
        trace = self.trace("www.signed.org", "A", "--from-root")
        self.assertEqual((trace["rcode"], trace["verdict"], trace["operator"]),
                         ("NOERROR", "secure", True))
        steps = trace["steps"]
        zones = [s["name"] for s in steps if s["kind"] == "zone" and s["depth"] == 0]
        self.assertEqual(zones[-3:], [".", "org.", "signed.org."])
        sends = [s for s in steps if s["kind"] == "send"]
        self.assertEqual(len(sends), trace["packets"])
        # But for the root's servers: "." has no letters whose case a forger would have to guess.
        self.assertEqual({s["transport"] for s in sends if s["depth"] == 0}, {"udp"})
        replies = [s for s in steps if s["kind"] == "reply"]
        # Where one is late another is asked beside it, and the later of the two is not waited for.
        self.assertLessEqual(len(replies), len(sends))
        self.assertLessEqual({r["server"] for r in replies}, {s["server"] for s in sends})
        self.assertGreaterEqual(len(replies), 5)    # for three zones, and the keys of two of them
        for reply in replies:
            self.assertIsNotNone(reply["server"])
            self.assertGreater(reply["took_us"], 0)
        times = [s["at_us"] for s in steps]
        self.assertEqual(times, sorted(times))
        self.assertIn("www.signed.org. A is secure", self.texts(trace, "check"))
        self.assertTrue(any("DNSKEY" in t for t in self.texts(trace, "question")))

    def test_past_the_cache(self):
        """By default the answer is asked for anew; with --cached nobody is asked."""
        self.ask("www.signed.org")
        self.net.clear_queries()
        self.assertEqual(self.trace("www.signed.org", "A", "--cached")["packets"], 0)
        self.assertFalse(self.net.queries())
        trace = self.trace("www.signed.org")
        self.assertGreater(trace["packets"], 0)
        self.assertTrue(self.net.queries("www.signed.org."))

    def test_text(self):
        text = self.ctl.text("trace", "alias.plain.com", "--from-root")
        self.assertRegex(text, r"^alias\.plain\.com\. A: NOERROR, insecure, [0-9.]+ ms, \d+ packets\n")
        self.assertRegex(text, r"\n +\d+\.\d  asks \S+ over UDP for com\. A\n")
        self.assertRegex(text, r"\n +\d+\.\d  \S+, \d+\.\d ms, \d+ bytes: referral to com\.\n")
        self.assertRegex(text, r"\n +\d+\.\d    needs plain\.com\. DS\n")

    def test_truncation_and_hosts_that_refuse(self):
        """TCP after truncation; a closed port."""
        trace = self.trace("big.big.org", "TXT")
        self.assertEqual([s["transport"] for s in trace["steps"] if s["kind"] == "send"][-1], "tcp")
        self.assertTrue(any("truncated" in t for t in self.texts(trace, "reply")))
        for server in "pair-a", "pair-b":
            self.net.servers[server].stop()
        trace = self.trace("n7.pair.org")
        self.assertEqual(trace["rcode"], "SERVFAIL")
        self.assertTrue(any("cannot be reached" in t for t in self.texts(trace, "lost")))

    def test_joins_what_is_going_on(self):
        """A question that clients wait for is watched, not asked twice."""
        for server in "pair-a", "pair-b":
            self.net.servers[server].link.delay_s = 0.15
        self.trace("n8.pair.org")
        self.net.clear_queries()
        client = threading.Thread(target=self.ask, args=("n9.pair.org",))
        client.start()
        time.sleep(0.1)
        trace = self.trace("n9.pair.org")
        client.join()
        self.assertEqual(trace["clients"], 1)
        self.assertTrue(trace["operator"])

    @case.slow
    def test_bounded(self):
        """Many at once: some are made, the others refused, and clients are served meanwhile."""
        self.ask("www.signed.org")
        links = [self.ctl.varlink(timeout=30) for _ in range(24)]
        for number, link in enumerate(links):
            link.send("Trace", name=f"x{number}.dead.org")
        for _ in range(10):
            _, took = self.timed("www.signed.org")
            self.assertLess(took, 0.5)
        # Who goes away while his trace is made does no harm.
        for link in links[::2]:
            link.close()
        self.assertEqual(self.ctl.run("version").returncode, 0)
        for link in links[1::2]:
            reply, _ = link.receive()
            self.assertTrue(reply["problem"] or reply["trace"]["rcode"] == "SERVFAIL")
            link.close()

    def test_wrong(self):
        for words in (("trace",), ("trace", "a", "NOTYPE"), ("trace", "a..b"),
                      ("trace", "a", "--cached", "--from-root")):
            self.assertEqual(self.ctl.run(*words).returncode, 64, words)
        link = self.ctl.varlink()
        self.addCleanup(link.close)
        with self.assertRaises(VarlinkError):
            link.call("Trace", name="a", cached=True, from_root=True)
