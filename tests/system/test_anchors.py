"""Trust anchors over time: the state that is kept, and what clients are told of it."""
import os
import shutil
import signal
import tempfile
import time

import case
from control import Varlink


def zone_of(name):
    return next(z for z in case.NET.zones if z.name == name)


def tag(ds):
    return int(ds.split()[0])


class Managed(case.DaemonCase):
    """Each test starts daemons of its own, which follow the keys of the root and of a zone that
    shows a new key and a revoked one."""
    config = {"listen": ["127.0.0.3:53"]}
    options = {"address": "127.0.0.3"}
    disk = "off"

    def another(self, path=None, anchors=None):
        rolling = zone_of("rolling.org.").key_ds
        listed = anchors or case.NET.trust_anchors + [
            f"rolling.org. DS {rolling[which]}" for which in ("active", "revoked")]
        config = {"dnssec": {"trust-anchors": listed, "auto-trust-anchors": True}}
        config["cache"] = {"disk": self.disk, "path": path or tempfile.mkdtemp(dir=self.net.dir)}
        daemon = self.net.resolver(config, address="127.0.0.2")
        self.configured = config
        daemon.path = config["cache"]["path"]
        self.start(daemon)
        self.addCleanup(lambda: daemon.process and daemon.stop())
        return daemon

    def start(self, daemon):
        daemon.start()
        self.daemon = daemon
        self.assertFlag(self.ask("www.rolling.org", ad=True), "AD")

    def settled(self, daemon):
        """The state, once every zone's keys have been seen and it is kept."""
        self.until(lambda: self.kept(daemon).count("\nsum ") == 2
                   and "\nDS " not in self.kept(daemon))
        return self.kept(daemon)

    def kept(self, daemon):
        try:
            with open(os.path.join(daemon.path, "anchors")) as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def test_followed(self):
        """RFC 5011 §4: a new key waits, a revoked one goes; both outlive the daemon."""
        daemon = self.another()
        rolling = zone_of("rolling.org.").key_ds
        told = [f"anchor state changed: zone=rolling.org. tag={tag(rolling[which])} {change}"
                for which, change in (("new", "from=start to=add-pending"),
                                      ("revoked", "from=valid to=revoked"))]
        self.until(lambda: all(line in daemon.said() for line in told))
        kept = self.settled(daemon)
        for state in "valid", "add-pending", "revoked":
            self.assertIn(f"DNSKEY {state} ", kept)
        self.assertNotIn("anchors.new", os.listdir(daemon.path))
        daemon.stop()
        self.start(daemon)
        time.sleep(0.2)
        self.assertEqual(self.kept(daemon), kept)
        self.assertSaid("anchor state changed", daemon, times=2)

    def test_reload(self):
        """What was learned stays when the configuration is read again."""
        daemon = self.another()
        kept = self.settled(daemon)
        daemon.reload()
        self.until(lambda: "configuration reloaded" in daemon.said())
        self.assertFlag(self.ask("mail.rolling.org", "MX", ad=True), "AD")
        self.assertEqual(self.kept(daemon), kept)
        self.assertSaid("anchor state changed", daemon, times=2)

    def test_damaged(self):
        """Moved aside and said, and the daemon starts with what is configured."""
        daemon = self.another()
        self.until(lambda: "to=revoked" in daemon.said())
        daemon.stop()
        with open(os.path.join(daemon.path, "anchors"), "r+") as file:
            file.seek(40)
            file.write("damage")
        self.start(daemon)
        self.assertSaid("the file is damaged", daemon)
        self.until(lambda: "zone rolling.org." in self.kept(daemon))
        self.assertIn("damage", open(os.path.join(daemon.path, "anchors.damaged")).read())

    def test_no_directory(self):
        """Said once; everything else works."""
        path = os.path.join(self.net.dir, "nowhere", "deep")
        daemon = self.another(path)
        self.until(lambda: "kept in memory only" in daemon.said())
        self.assertSaid("kept in memory only", daemon, times=1)
        self.assertFlag(self.ask("www.signed.org", ad=True), "AD")
        self.assertFalse(os.path.exists(path))

    def test_another_tree(self):
        """What was kept for keys that are not configured any more is not believed."""
        first = self.another()
        self.until(lambda: "zone .\n" in self.kept(first))
        first.stop()
        daemon = self.net.resolver(
            {"dnssec": {"trust-anchors": [". DS 12345 8 2 " + "AB" * 32],
                        "auto-trust-anchors": True}}, address="127.0.0.2")
        shutil.copytree(first.path, os.path.join(daemon.dir, "cache"), dirs_exist_ok=True)
        self.addCleanup(lambda: daemon.process and daemon.stop())
        daemon.start()
        self.daemon = daemon
        self.assertStatus(self.ask("www.signed.org"), "SERVFAIL")
        self.assertSaid("beginning anew zone=.", daemon)


class InCacheFile(Managed):
    """The same where the state stands in the cache file, beside the keys, which come from there and
    are not asked for by clients' questions."""
    disk = "16M"
    test_damaged = test_no_directory = test_another_tree = None

    def kept(self, daemon):
        """What the daemon goes by, in the words of the file."""
        control = Varlink(os.path.join(daemon.dir, "control.sock"))
        anchors = control.call("Anchors")["anchors"]
        control.close()
        self.assertNotIn("anchors", os.listdir(daemon.path))
        return "".join(f"zone {anchor['zone']}\n" + "".join(
            f"{key['kind']} {key['state']} {key['tag']}\n"
            for key in anchor["keys"]) + "\nsum \n" for anchor in anchors)

    def kill(self, daemon):
        daemon.process.send_signal(signal.SIGKILL)
        daemon.process.wait()
        daemon.stop()

    def revoked(self, daemon):
        return f"DNSKEY revoked {tag(zone_of('rolling.org.').key_ds['revoked'])}\n" \
            in self.kept(daemon)

    def test_killed(self):
        """What is told is durable."""
        daemon = self.another()
        # The thread that tells is the one that has kept it before; the log is a moment ahead.
        self.until(lambda: self.revoked(daemon))
        self.kill(daemon)
        self.start(daemon)
        self.assertTrue(self.revoked(daemon), self.kept(daemon))
        self.assertSaid("to=revoked", daemon, times=1)

    def test_deleted(self):
        """Without the cache file it begins with what is configured, and looks at the keys again."""
        daemon = self.another()
        self.until(lambda: "to=revoked" in daemon.said())
        daemon.stop()
        os.remove(os.path.join(daemon.path, "data.mdb"))
        self.start(daemon)
        self.until(lambda: daemon.said().count("to=revoked") == 2)

    def test_only_cached(self):
        """Keys that come from the disk are asked for soon after the start."""
        daemon = self.another()
        self.until(lambda: "to=revoked" in daemon.said())
        daemon.stop()
        self.net.clear_queries()
        self.start(daemon)
        self.until(lambda: any(q.name == "rolling.org." and q.type == "DNSKEY"
                               for q in self.net.queries()))

    def test_taken_over(self):
        """A file from a time without the cache file is read once."""
        self.disk = "off"
        daemon = self.another()
        self.until(lambda: "to=revoked" in daemon.said())
        daemon.stop()
        self.assertIn("anchors", os.listdir(daemon.path))
        self.configured["cache"]["disk"] = "16M"
        daemon.configure(self.configured)
        for _ in range(2):
            self.start(daemon)
            self.assertTrue(self.revoked(daemon))
            self.kill(daemon)
        self.assertSaid("taken over", daemon, times=1)
        self.assertSaid("to=revoked", daemon, times=1)


class Fixed(case.DaemonCase):
    """Listed anchors stay as they are unless it is said otherwise."""

    def test_nothing_kept(self):
        self.assertFlag(self.ask("www.signed.org", ad=True), "AD")
        time.sleep(0.2)
        self.assertNotIn("anchors", os.listdir(os.path.join(self.daemon.dir, "cache")))


class Sentinel(case.DaemonCase):
    """RFC 8509, below a wildcard; the first answer is fresh and the second comes from the cache."""

    def check(self, label, status, zone="wild.org", rrtype="A", **words):
        for temperature in "cold", "warm":
            with self.subTest(f"{label}.{zone} {rrtype} {words}, {temperature}"):
                reply = self.ask(f"{label}.{zone}", rrtype, **words)
                self.assertStatus(reply, status)
                self.assertFlag(reply, "AD", status == "NOERROR" and not words.get("cd")
                                and zone == "wild.org")
                self.assertEqual(bool(reply.answer), status == "NOERROR" and rrtype != "AAAA")

    def test_sentinel(self):
        trusted = tag(case.NET.trust_anchors[0].split(None, 2)[2])
        other = trusted ^ 1
        for label, status in ((f"root-key-sentinel-is-ta-{trusted:05}", "NOERROR"),
                              (f"root-key-sentinel-not-ta-{trusted:05}", "SERVFAIL"),
                              (f"root-key-sentinel-is-ta-{other:05}", "SERVFAIL"),
                              (f"root-key-sentinel-not-ta-{other:05}", "NOERROR"),
                              (f"Root-KEY-Sentinel-IS-TA-{other:05}", "SERVFAIL")):
            self.check(label, status, ad=True)
            self.check(label, status, do=True)
            self.check(label, status, rrtype="AAAA", ad=True)
            self.check(label, "NOERROR", rrtype="TXT", ad=True)
            self.check(label, "NOERROR", cd=True, ad=True)
            self.check(label + "0", "NOERROR", ad=True)

    def test_insecure(self):
        """RFC 8509 §2.1: nothing is withheld of what is not secure."""
        self.check("root-key-sentinel-is-ta-00000", "NOERROR", zone="wild.unsigned.org", ad=True)
