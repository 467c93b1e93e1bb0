"""What outlives the daemon: the cache on disk, over ends of every kind."""
import glob
import os
import signal
import time

import case
import dns.flags
import dns.rcode
from control import Varlink

COMMITTED_S = 2.5       # a commit comes once a second at most, and takes its time


class RestartCase(case.DaemonCase):
    """Every test has a daemon of its own, on a directory of its own."""
    config = {}

    @classmethod
    def setUpClass(cls):
        cls.net = case.NET

    @classmethod
    def tearDownClass(cls):
        case.NET.heal()

    def setUp(self):
        self.net.heal()
        self.daemon = self.net.resolver(self.config, **self.options)
        self.path = os.path.join(self.daemon.dir, "cache")
        self.addCleanup(lambda daemon=self.daemon: daemon.process and daemon.stop())

    def begin(self):
        """A daemon in place of the one that is there."""
        if self.daemon.process:
            self.daemon.stop()
        self.setUp()
        self.daemon.start()

    def kill(self):
        """SIGKILL."""
        self.daemon.process.send_signal(signal.SIGKILL)
        self.daemon.process.wait()
        self.daemon.stop()

    def restart(self, how="stop"):
        if how == "kill":
            self.kill()
        else:
            self.assertEqual(self.daemon.stop(), 0, self.daemon.said()[-2000:])
        self.daemon.start()
        self.net.clear_queries()

    def control(self):
        return Varlink(os.path.join(self.daemon.dir, "control.sock"))

    def asked(self):
        """What was asked of servers, but for the daemon's own questions about the root."""
        return [q for q in self.net.queries() if q.name != "."]


class Restart(RestartCase):
    NAMES = [
        ("www.signed.org", "A"),                    # a set, secure
        ("chain1.signed.org", "A"),                  # aliases
        ("nothing.signed.org", "A"),                # NXDOMAIN with NSEC
        ("www.signed.org", "TYPE65399"),            # NODATA
        ("nothing.nsec3.org", "A"),
        ("any.wild.org", "A"),                      # from a wildcard
        ("www.plain.com", "A"),                     # insecure
        ("text.signed.com", "TXT"),
    ]

    def answers(self):
        found = []
        for name, rrtype in self.NAMES:
            for do in False, True:
                reply = self.ask(name, rrtype, do=do, ad=True)
                found.append((name, rrtype, do, reply.rcode(), bool(reply.flags & dns.flags.AD),
                              sorted(case.data(reply)), sorted(case.types(reply.authority))))
        return found

    def check(self, how):
        self.daemon.start()
        before = self.answers()
        if how == "kill":
            time.sleep(COMMITTED_S)
        self.restart(how)
        self.assertEqual(self.answers(), before)
        self.assertEqual(self.asked(), [])

    def test_terminated(self):
        """SIGTERM: every answer is there at the next start, AD flag and proofs too."""
        self.check("stop")

    @case.slow
    def test_killed(self):
        """SIGKILL: all but what came in the last second."""
        self.check("kill")

    def test_neighbours(self):
        """Delegations, keys and DS records are kept too: only the new name is asked for."""
        self.daemon.start()
        self.ask("www.signed.org", do=True)
        self.restart()
        reply = self.ask("n7.signed.org", do=True, ad=True)
        self.assertFlag(reply, "AD")
        self.assertEqual({(q.name, q.server.split("-")[0]) for q in self.asked()},
                         {("n7.signed.org.", "host")})


class OtherConfiguration(RestartCase):
    """What was learned under another configuration is not believed, and nothing else is lost."""

    def again(self, config):
        """The daemon ends and comes back with CONFIG over its own."""
        self.assertEqual(self.daemon.stop(), 0)
        self.daemon.configure(config)
        self.daemon.start()
        self.net.clear_queries()

    def test_trust_anchor(self):
        self.daemon.start()
        self.assertFlag(self.ask("www.signed.org", ad=True), "AD")
        self.again({"dnssec": {"trust-anchors": [". DS 12345 8 2 " + "AB" * 32]}})
        self.assertStatus(self.ask("www.signed.org"), "SERVFAIL")

    def test_negative_anchor(self):
        """Below it everything is learned anew, beside it nothing; and again when it is gone."""
        anchored = {"dnssec": {"trust-anchors": self.net.trust_anchors,
                               "negative-trust-anchors": ["signed.org"]}}
        self.daemon.start()
        self.assertFlag(self.ask("www.signed.org", ad=True), "AD")
        self.assertFlag(self.ask("www.rsa.org", ad=True), "AD")
        self.again(anchored)
        self.assertFlag(self.ask("www.signed.org", ad=True), "AD", False)
        self.assertFlag(self.ask("www.rsa.org", ad=True), "AD")
        self.assertEqual({q.name for q in self.asked()} & {"www.rsa.org.", "rsa.org."}, set())
        self.again({})
        self.assertFlag(self.ask("www.signed.org", ad=True), "AD")

    def test_passing_negative_anchor(self):
        """One that was added at run time does not outlive the daemon, nor what it let through."""
        self.daemon.start()
        control = self.control()
        control.call("NtaAdd", name="signed.org")
        self.assertFlag(self.ask("www.signed.org", ad=True), "AD", False)
        control.close()
        self.restart()
        self.assertFlag(self.ask("www.signed.org", ad=True), "AD")

    def test_forward_zone(self):
        """Names below a new forward zone are asked of its servers, also after a mere reload."""
        self.daemon.start()
        self.ask("www.plain.com")
        self.ask("www.signed.org")
        forwarded = {"forward-zones": [{"name": "plain.com.", "servers": ["192.0.2.99:53"]}]}
        self.daemon.configure(forwarded)
        self.daemon.reload()
        time.sleep(0.5)
        self.assertStatus(self.ask("www.plain.com"), "SERVFAIL")
        self.net.clear_queries()
        self.ask("www.signed.org")
        self.again(forwarded)
        self.assertStatus(self.ask("www.plain.com"), "SERVFAIL")
        self.ask("www.signed.org")
        self.assertEqual([q for q in self.asked() if q.name.endswith("signed.org.")], [])


class Flush(RestartCase):
    """What was flushed does not come back, from any tier and by no way."""

    def flush(self, **words):
        control = self.control()
        reply = control.call("CacheFlush", **words)
        control.close()
        self.assertIsNone(reply["not_on_disk"])
        return reply["removed"]

    def test_flushed(self):
        cases = [
            # flushed, then asked for again, and not
            ({"name": "www.signed.org", "type": "A"}, ["www.signed.org"], ["text.signed.org"]),
            ({"name": "www.signed.org"}, ["www.signed.org"], ["mail.signed.org"]),
            ({"name": "signed.org", "subtree": True},
             ["www.signed.org", "mail.signed.org", "chain1.signed.org"], ["www.plain.com"]),
            ({"name": "www.plain.com"}, ["chain1.plain.com", "www.plain.com"], ["text.plain.com"]),
            ({"name": "nothing.signed.org"}, ["nothing.signed.org"], ["www.signed.org"]),
            ({"all": True}, ["www.signed.org", "www.plain.com"], []),
        ]
        for words, gone, kept in cases:
            with self.subTest(str(words)):
                self.begin()
                for name in gone + kept:
                    self.ask(name, do=True)
                    self.ask(name)
                time.sleep(COMMITTED_S)
                self.assertGreater(self.flush(**words), 0)
                self.kill()
                self.daemon.start()
                for name in kept:
                    self.net.clear_queries()
                    self.ask(name)
                    self.assertEqual(self.asked(), [])
                for name in gone:
                    self.net.clear_queries()
                    self.ask(name)
                    self.assertNotEqual(self.asked(), [], name)
