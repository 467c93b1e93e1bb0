"""What outlives the daemon: the cache on disk, over ends of every kind."""
import glob
import gzip
import os
import select
import shutil
import signal
import socket
import tempfile
import threading
import time

import case
import re
import dns.flags
import dns.rcode
from control import Varlink

# Written by this daemon with DISK_FORMAT 0 and www.plain.com in it.
KEPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "kept", "cache-format-0.mdb.gz")
COMMITTED_S = 2.5       # a commit comes once a second at most, and takes its time


class RestartCase(case.FreshCase):
    """Every test has a daemon of its own, on a directory of its own."""
    config = {}

    def setUp(self):
        self.net.heal()
        self.daemon = self.net.resolver(self.config, **self.options)
        self.path = os.path.join(self.daemon.dir, "cache")
        self.addCleanup(lambda daemon=self.daemon: daemon.process and daemon.stop())
        self.addCleanup(lambda daemon=self.daemon: [held.close() for held in daemon.held])

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

    @case.slow
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


class Hang(RestartCase):
    """A disk that does not come back is no disk: nobody who asks for a name waits for it."""
    names = [f"n{i}.signed.org" for i in range(8)]
    # Five times what a cold name takes here, and a fifth of what a reply that is lost would cost. The
    # disk hangs for as long as it is told to, so nothing that waits for it could be as quick.
    normal_s = 1

    def setUp(self):
        super().setUp()
        self.flag = os.path.join(self.daemon.dir, "hang")
        self.daemon.command = ["env", "LD_PRELOAD=" + self.net.shim("hang"), "HANG_FLAG=" + self.flag,
                               "HANG_PATH=" + self.path, *self.daemon.command]
        self.addCleanup(self.go_on)

    def hang(self, flag=""):
        with open(self.flag + flag, "w", encoding="ascii"):
            pass

    def go_on(self):
        for name in glob.glob(self.flag + "*"):
            os.unlink(name)

    def state(self):
        control = self.control()
        status = control.call("Status")
        control.close()
        return status["cache"]["disk"]["state"], " ".join(status["warnings"])

    def until_state(self, state):
        self.until(lambda: self.state()[0] == state, 15)

    def learn(self):
        """The names stand on disk, and not in memory."""
        self.daemon.start()
        for name in self.names:
            self.assertFlag(self.ask(name, ad=True), "AD")
        time.sleep(COMMITTED_S)
        self.kill()     # a good end would say which are popular, and a start would load those

    def assertQuick(self, name):
        reply, took_s = self.timed(name, ad=True)
        self.assertStatus(reply, "NOERROR")
        self.assertFlag(reply, "AD")
        self.assertLess(took_s, self.normal_s, name)

    def test_while_it_serves(self):
        self.learn()
        self.daemon.start()
        self.ask("www.plain.com")
        self.net.clear_queries()
        self.hang()
        messages = [self.query(name, ad=True) for name in self.names]
        begin = time.monotonic()
        replies = self.ask_all(messages, 3)
        self.assertLess(time.monotonic() - begin, self.normal_s)
        self.assertEqual(len(replies), len(self.names))
        for name in self.names:
            self.assertNotEqual(self.net.queries(name + "."), [], "asked of servers")
            self.assertQuick(name)
        self.until_state("hung")
        self.assertIn("a read has not come back", self.state()[1])
        self.until(lambda: "state=hung" in self.daemon.said())
        self.assertQuick("www.signed.org")
        reply, took_s = self.timed("www.plain.com")
        self.assertData(reply, "198.18.1.1")
        self.assertLess(took_s, self.normal_s)
        # The operator gets his answers too, and what is flushed does not come back with the disk.
        begin = time.monotonic()
        control = self.control()
        told = control.call("CacheFlush", name="n7.signed.org.")
        explained = control.call("Explain", name="elsewhere.signed.org.")
        control.close()
        self.assertIn("not come back", told["not_on_disk"])
        self.assertIn("disk does not answer", str(explained))
        self.assertLess(time.monotonic() - begin, self.normal_s)
        self.go_on()
        self.until_state("good")
        self.until(lambda: "it answers again" in self.daemon.said())
        self.restart()
        self.assertQuick(self.names[0])
        self.assertEqual(self.net.queries(self.names[0] + "."), [], "kept")
        self.assertQuick("n7.signed.org")
        self.assertNotEqual(self.net.queries("n7.signed.org."), [], "flushed")

    def test_before_the_start(self):
        self.learn()
        self.hang()
        begin = time.monotonic()
        self.daemon.start()
        self.assertQuick(self.names[0])
        self.assertLess(time.monotonic() - begin, 2 * self.normal_s)
        self.until_state("hung")
        self.assertIn("opening it has not come back", self.state()[1])
        self.go_on()
        self.until_state("good")
        self.until(lambda: "is taken into use" in self.daemon.said())
        self.net.clear_queries()
        for name in self.names[1:]:
            self.assertQuick(name)
        self.assertEqual(self.asked(), [], "found on disk")

    def test_configured_otherwise(self):
        """What was learned under another configuration is not found on a disk that comes late."""
        self.learn()
        command = self.daemon.command
        self.daemon.configure({**self.config, "dnssec": {
            "trust-anchors": self.net.trust_anchors, "negative-trust-anchors": ["signed.org."]}})
        self.daemon.command = command
        self.hang()
        self.daemon.start()
        self.assertStatus(self.ask("www.plain.com"), "NOERROR")
        self.go_on()
        self.until(lambda: "is taken into use" in self.daemon.said())
        self.net.clear_queries()
        reply = self.ask(self.names[1], ad=True)
        self.assertStatus(reply, "NOERROR")
        self.assertNotEqual(self.net.queries(self.names[1] + "."), [])

    def test_end(self):
        self.daemon.start()
        self.hang()
        self.ask(self.names[0])
        self.until_state("hung")
        begin = time.monotonic()
        self.assertEqual(self.daemon.stop(), 0)
        self.assertLess(time.monotonic() - begin, 10)
        self.assertSaid("left behind")

    def test_cold(self):
        """What no memory has, but the disk tells, is as good as in memory: nobody is asked."""
        self.learn()
        self.daemon.start()
        self.hang(".cold")
        self.net.clear_queries()
        for name in self.names:
            self.assertQuick(name)
        self.assertEqual(self.asked(), [])


class Limit(RestartCase):
    """A cache file that is far too small for what comes."""
    config = {"cache": {"memory": "16M", "disk": "1M"}}

    def test_newest(self):
        """What came last is found after a kill, and the file's limit is no full disk. (That it is told
        as long as it presses, disk.c holds.)"""
        self.daemon.start()
        names = [f"n{i}.unsigned.org" for i in range(5000)]
        for i in range(0, len(names), 250):
            wanted = [self.query(name) for name in names[i:i + 250]]
            self.assertEqual(len(self.ask_all(wanted, 10)), 250)
        control = self.control()
        self.addCleanup(control.close)

        def disk():
            return control.call("Status")["cache"]["disk"]
        self.until(lambda: disk()["pending_entries"] == 0, 30)
        self.assertEqual(disk()["state"], "good")
        if "is memory" in disk()["reason"]:
            self.skipTest("files here are in memory, of which the cache file takes less yet")
        self.kill()
        self.daemon.start()
        self.net.clear_queries()
        last = names[-100:]
        self.assertEqual(len(self.ask_all([self.query(name) for name in last], 10)), len(last))
        asked = {q.name for q in self.asked()}
        self.assertLess(len(asked & {name + "." for name in last}), 50)


class Memory(RestartCase):
    """A directory that is memory counts as the daemon's: nothing of it is taken ahead."""

    def test_tmpfs(self):
        path = tempfile.mkdtemp(dir="/dev/shm")
        self.addCleanup(shutil.rmtree, path)
        self.daemon.configure({"cache": {"path": path, "disk": "1G"}})
        self.daemon.start()
        self.assertStatus(self.ask("www.plain.com"), "NOERROR")
        control = self.control()
        self.addCleanup(control.close)

        def disk():
            return control.call("Status")["cache"]["disk"]
        self.until(lambda: disk()["counters"]["commits"] > 0)
        self.assertEqual(disk()["state"], "good")
        self.assertIn("is memory: nothing is reserved", disk()["reason"])
        self.assertSaid("is memory: nothing is reserved")
        taken = os.stat(os.path.join(path, "data.mdb")).st_blocks * 512
        self.assertLess(taken, 1 << 20)
        self.restart()
        self.assertStatus(self.ask("www.plain.com"), "NOERROR")
        self.assertEqual(self.net.queries("www.plain.com."), [])


class Faults(RestartCase):
    """Whatever the disk does, the daemon starts and resolves, and says what is wrong."""

    def disk(self):
        control = self.control()
        status = control.call("Status")
        control.close()
        return status["cache"]["disk"], " ".join(status["warnings"])

    def until_state(self, state, timeout_s=15):
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            disk, warnings = self.disk()
            if disk["state"] == state and not disk["checking"]:
                return disk, warnings
            time.sleep(0.1)
        self.fail(f"{disk} {warnings} {self.daemon.said()[-2000:]}")

    def check(self, state, words):
        """It answers, and its state and words stand in status and log."""
        self.assertFlag(self.ask("www.signed.org", ad=True), "AD")
        disk, warnings = self.until_state(state)
        self.assertIn(words, disk["reason"])
        if state != "good":
            self.assertIn(disk["reason"], warnings)
        self.assertSaid(f"state={state}")
        self.assertSaid(words)

    def test_missing_directory(self):
        """It is used as soon as it is there. (Where only its last part is missing it is made.)"""
        self.path = os.path.join(self.daemon.dir, "later", "cache")
        self.daemon.configure({**self.config, "cache": {"memory": "16M", "path": self.path}})
        self.daemon.start()
        self.check("failed", "No such file or directory")
        os.makedirs(self.path)
        self.until_state("good")

    def test_foreign_file(self):
        os.makedirs(self.path, exist_ok=True)
        with open(os.path.join(self.path, "data.mdb"), "wb") as out:
            out.write(b"This is somebody's diary. " * 1000)
        self.daemon.start()
        self.check("good", "")
        self.assertSaid("moved aside")
        aside = glob.glob(os.path.join(self.path, "data.mdb.damaged-*"))
        self.assertEqual(len(aside), 1)
        with open(aside[0], "rb") as file:
            self.assertTrue(file.read().startswith(b"This is somebody's diary."))

    def test_older_format(self):
        """An upgrade: a file that was kept from an older format is moved aside, and said so; none
        of its records is served, and the new file is good for the next restart."""
        os.makedirs(self.path, exist_ok=True)
        with gzip.open(KEPT) as kept, open(os.path.join(self.path, "data.mdb"), "wb") as out:
            out.write(kept.read())
        self.daemon.start()
        self.check("good", "")
        self.assertSaid("moved aside")
        self.net.clear_queries()
        self.assertStatus(self.ask("www.plain.com"), "NOERROR")
        self.assertTrue(self.net.queries("www.plain.com."), "asked for, not believed")
        time.sleep(COMMITTED_S)
        self.restart()
        self.assertStatus(self.ask("www.plain.com"), "NOERROR")
        self.assertEqual(self.net.queries("www.plain.com."), [])

    def test_damage(self):
        """Pages of zeros in the middle: never served, never fatal."""
        self.daemon.start()
        for i in range(200):
            self.ask(f"n{i}.signed.org")
        self.daemon.stop()
        with open(os.path.join(self.path, "data.mdb"), "r+b") as file:
            file.seek(8 * 4096)
            file.write(bytes(40 * 4096))
        self.daemon.start()
        for i in range(0, 200, 20):
            self.assertFlag(self.ask(f"n{i}.signed.org", ad=True), "AD")
        self.until_state("good")
        self.assertSaid(re.compile(r"damaged|moved aside"))

    def test_truncated(self):
        self.daemon.start()
        for i in range(50):
            self.ask(f"n{i}.signed.org")
        self.daemon.stop()
        os.truncate(os.path.join(self.path, "data.mdb"), 5 * 4096)
        self.daemon.start()
        self.check("good", "")

    def test_second_daemon(self):
        """It is told whose the directory is, and takes over when that one has gone."""
        self.daemon.start()
        self.ask("www.plain.com")
        first, pid = self.daemon, self.daemon.process.pid
        self.daemon = self.net.resolver({"cache": {"path": self.path, "disk": "16M"}},
                                        address="127.0.0.2")
        self.addCleanup(lambda daemon=self.daemon: daemon.process and daemon.stop())
        self.daemon.start()
        self.check("locked", f"is used by another daemon, pid {pid}")
        first.stop()
        self.until_state("good")
        self.ask("text.signed.org", "TXT")
        self.restart()
        self.ask("text.signed.org", "TXT")
        self.assertEqual(self.asked(), [])

    def test_off(self):
        self.daemon.configure({"cache": {"path": self.path, "disk": "off"}})
        self.daemon.start()
        self.ask("www.signed.org")
        self.assertEqual(self.disk()[0]["state"], "off")
        self.restart()
        self.ask("www.signed.org")
        self.assertNotEqual(self.asked(), [])
        self.assertFalse(os.path.exists(os.path.join(self.path, "data.mdb")))


class Mounted(Faults):
    """The directory is a file system of its own, in a mount namespace of the daemon's own."""
    test_missing_directory = test_foreign_file = test_damage = None
    test_truncated = test_second_daemon = test_off = None

    def start(self, options):
        mount = f'mount -t tmpfs -o {options} none "{self.path}" && exec "$@"'
        self.daemon.command = ["unshare", "-m", "sh", "-c", mount, "sh"] + self.daemon.command
        self.daemon.start()

    def test_full(self):
        self.start("size=512k")
        self.check("full", "no room for a cache file")

    def test_read_only(self):
        self.start("ro,size=4M")
        self.check("read-only", "Read-only file system")


class Traffic(RestartCase):
    """The service manager holds the sockets: a restart in mid-traffic is not noticed."""
    config = {"prefetch": {"min-hits": 1, "zones": [{"name": "amazonaws.com.", "min-hits": 1}]}}
    NAMES = [f"n{i}.signed.org" for i in range(60)] + [
        "db.cluster-abc.eu-west-1.rds.amazonaws.com", "www.plain.com", "chain1.signed.org"]

    def client(self, stop, late):
        """Ask for one name after the other and note what takes long, or forever."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((self.daemon.address, 53))
            n = 0
            while not stop.is_set():
                name = self.NAMES[n % len(self.NAMES)]
                n += 1
                begin = time.monotonic()
                try:
                    sock.send(self.query(name).to_wire())
                    answered = select.select([sock], [], [], 3)[0] and sock.recv(4096)
                except OSError as error:
                    answered = None
                    late.append((name, error))
                took = time.monotonic() - begin
                if not answered or answered[3] & 15 or took > 0.02:
                    late.append((name, round(took, 3), bool(answered)))
                time.sleep(0.002)

    def test_restart_in_traffic(self):
        self.daemon.hold_sockets()
        self.daemon.start()
        self.assertSaid("inherited socket")
        for name in self.NAMES:
            self.ask(name)
        stop, late = threading.Event(), []
        client = threading.Thread(target=self.client, args=(stop, late))
        client.start()
        try:
            for _ in range(3):
                time.sleep(0.5)
                self.assertEqual(self.daemon.stop(), 0)
                self.daemon.start(wait=False)
            time.sleep(1)
        finally:
            stop.set()
            client.join()
        self.assertEqual([l for l in late if not l[-1]], [], "unanswered")
        # A question that came while nobody was there waited for the next daemon, no longer.
        self.assertLess(max([l[1] for l in late], default=0), 1.5, late)
        self.assertLessEqual(len(late), 3 * 3, late)

    def test_over_tcp(self):
        """The listening socket outlives the daemon too: who connects meanwhile is served."""
        self.daemon.hold_sockets()
        self.daemon.start()
        self.ask("www.signed.org", tcp=True)
        self.assertEqual(self.daemon.stop(), 0)
        sock = self.connect()
        sock.send(case.framed(self.query("www.signed.org")))
        self.daemon.start(wait=False)
        self.assertStatus(case.read_messages(sock, 1)[0], "NOERROR")

    def test_stranger(self):
        """A socket that the configuration does not know is not served, and that is said."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind((self.daemon.address, 5353))
            self.daemon.pass_on([sock])
            self.daemon.start()
        self.assertSaid("stands not in listen")
        self.assertStatus(self.ask("www.signed.org"), "NOERROR")


class Downtime(RestartCase):
    """Names of TTL 5 that expired while no daemon ran for 7 s, and servers that are slow to answer."""
    config = {"prefetch": {"min-hits": 1}, "cache": {"max-ttl": 5}}
    NAMES = [f"n{i}.signed.org" for i in range(60)]
    DOWN_S, LATE_S = 7, 0.3

    def timed(self, name):
        begin = time.monotonic()
        reply = self.ask(name)
        self.assertStatus(reply, "NOERROR")
        return time.monotonic() - begin

    @case.slow
    def test_stale_at_once(self):
        """What was popular is answered at once, stale; all is fresh again, also what nobody asks
        for."""
        self.daemon.start()
        for _ in range(3):
            for name in self.NAMES:
                self.ask(name)
            time.sleep(1.1)
        self.assertEqual(self.daemon.stop(), 0)
        time.sleep(self.DOWN_S)
        self.net.clear_queries()
        for server in self.net.servers.values():
            server.link.delay_s = self.LATE_S
        self.daemon.start()
        took = [self.timed(name) for name in self.NAMES[::2]]
        self.assertLess(max(took), self.LATE_S, took)
        time.sleep(4)
        asked = {q.name for q in self.net.queries()}
        self.assertEqual([name for name in self.NAMES if name + "." not in asked], [])
        for name in self.NAMES:         # all from the cache
            self.assertLess(self.timed(name), self.LATE_S)
            self.assertGreater(self.ask(name).answer[0].ttl, 0)
