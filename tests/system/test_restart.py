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
        self.addCleanup(lambda: self.daemon.process and self.daemon.stop())

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
        ("chain.signed.org", "A"),                  # aliases
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
