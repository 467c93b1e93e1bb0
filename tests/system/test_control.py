"""The control socket and resolverctl: every verb, rude clients, who may do what."""
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.request

import case
from control import Ctl, Description, VarlinkError

METRICS = "127.0.0.1:9453"
NOBODY = ("setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups")
MEMBER = ("setpriv", "--reuid", "65534", "--regid", "65534", "--groups", "3")    # sys


class ControlCase(case.DaemonCase):
    config = {"metrics": {"listen": [METRICS]},
              "forward-zones": [{"name": "fwd.invalid.", "servers": ["192.0.2.99"],
                                 "rate-limit": 10, "only": ["a-*"]}],
              "prefetch": {"enabled": False}, "serve-stale": {"enabled": False}}

    def setUp(self):
        super().setUp()
        self.net.heal()
        self.ctl = Ctl(self.net, self.daemon)

    def link(self, **words):
        link = self.ctl.varlink(**words)
        self.addCleanup(link.close)
        return link

    def assertRefused(self, error, method, **parameters):
        with self.assertRaises(VarlinkError) as caught:
            self.link().call(method, **parameters)
        self.assertEqual(caught.exception.name, error)
        return caught.exception.parameters


class Verbs(ControlCase):
    def test_replies_are_as_described(self):
        """Every verb's reply has exactly the fields of the interface description."""
        self.ask("www.signed.org")
        self.ask("alias.plain.com")
        self.ask("nothing.signed.org")
        self.ask("www.badsig.org")
        link = self.link()
        text = link.call("org.varlink.service.GetInterfaceDescription",
                         interface="io.resolverd")["description"]
        description = Description(text)
        calls = {
            "Status": [{}], "Stats": [{}], "CacheStats": [{}],
            "CacheShow": [{"name": n} for n in ("www.signed.org", "alias.plain.com", "signed.org",
                                                "nothing.signed.org", "www.badsig.org")],
            "CacheFlush": [{"name": "mail.signed.org"}],
            "Upstreams": [{}], "ForwardList": [{}], "Anchors": [{}], "NtaList": [{}],
            "NtaAdd": [{"name": "nta.org", "seconds": 60}], "NtaRemove": [{"name": "nta.org"}],
            "ConfigCheck": [{}], "ConfigShow": [{}], "ConfigReload": [{}], "LogLevel": [{}],
            "LogQueries": [{}],
            "Version": [{}],
            "Trace": [{"name": n} for n in ("www.signed.org", "www.badsig.org", "alias.plain.com")],
            "ForwardAdd": [{"name": "x.invalid", "servers": ["192.0.2.99"]}],
            "ForwardRemove": [{"name": "x.invalid"}], "ForwardReset": [{}],
            "Top": [{"interval_ms": 100}],
            "CacheLoad": [{"questions": ["www.signed.org", "a..b"]}],
            "PrefetchStats": [{}], "PrefetchNow": [{"name": "www.signed.org"}],
            "Explain": [{"name": n} for n in ("www.signed.org", "www.badsig.org", "localhost",
                                              "b.fwd.invalid")],
        }
        streams = {"CacheDump": {}, "PrefetchList": {}, "Watch": None}
        self.assertEqual(set(calls) | set(streams), set(description.replies))
        for method, parameters in streams.items():
            self.assertRefused("org.varlink.service.ExpectedMore", method)
            if parameters is None:      # without end
                continue
            for reply in link.stream_of(method, **parameters):
                self.assertEqual(description.reply_problems(method, reply), [])
        for method, all_parameters in calls.items():
            for parameters in all_parameters:
                with self.subTest(method, **parameters):
                    reply = link.call(method, **parameters)
                    self.assertEqual(description.reply_problems(method, reply), [])

    def test_information(self):
        info = self.link().call("org.varlink.service.GetInfo")
        self.assertEqual(info["product"], "resolverd")
        self.assertEqual(info["interfaces"], ["org.varlink.service", "io.resolverd"])

    def test_status(self):
        before = self.ctl.json("status")["queries"]
        self.ask("www.signed.org")
        status = self.ctl.json("status")
        self.assertEqual(status["queries"], before + 1)
        self.assertEqual(status["pid"], self.daemon.process.pid)
        self.assertEqual(status["listen"], ["127.0.0.1:53"])
        self.assertEqual(status["workers_turning"], status["workers"])
        self.assertRegex(self.ctl.text("status"), rf"pid {self.daemon.process.pid}\n")

    def test_stats(self):
        self.ask("www.signed.org")
        stats = self.ctl.json("stats")
        self.assertGreater(stats["counters"]["queries_udp_total"], 0)
        for name, total in stats["counters"].items():
            self.assertLessEqual(sum(w["counters"].get(name, 0) for w in stats["workers"]), total,
                                 name)
        self.assertRegex(self.ctl.text("stats"), r"\nqueries_udp_total +[1-9]")

    def test_stats_are_complete(self):
        """All counters that /metrics tells without a label."""
        with urllib.request.urlopen(f"http://{METRICS}/metrics", timeout=5) as reply:
            lines = reply.read().decode().splitlines()
        names = {line.split()[2] for line in lines if line.startswith("# TYPE")
                 and line.endswith(" counter")}
        told = {line.split()[0].removeprefix("resolverd_") for line in lines
                if line.split()[0] in names}
        self.assertIn("disk_written_total", told)
        self.assertEqual(set(self.ctl.json("stats")["counters"]), told)

    def test_stats_watch(self):
        """A reply every interval until the client goes."""
        link, begin = self.link(), time.monotonic()
        replies = link.stream_of("Stats", interval_ms=200)
        first = next(replies)
        self.ask("www.signed.org")
        second, third = next(replies), next(replies)
        self.assertGreater(time.monotonic() - begin, 0.35)
        self.assertLess(time.monotonic() - begin, 2)
        self.assertGreater(third["counters"]["queries_udp_total"],
                           first["counters"]["queries_udp_total"])
        self.assertTrue(second)
        done = subprocess.run(["timeout", "1", self.ctl.program, "-s", self.ctl.socket, "--json",
                               "stats", "--watch", "--interval", "200ms"], capture_output=True,
                              text=True, check=False)
        self.assertIn(len([json.loads(l) for l in done.stdout.splitlines()]), range(3, 7))

    def test_cache(self):
        """What was asked is shown, with its verdict; flushed, it is gone and asked for again."""
        self.ask("www.signed.org", "AAAA")
        shown = self.ctl.json("cache", "show", "www.signed.org", "AAAA")
        entry = next(e for e in shown["entries"] if e["kind"] == "rrset")
        self.assertEqual(entry["verdict"], "secure")
        self.assertEqual([r["data"] for r in entry["records"]], ["2001:db8:80::1"])
        self.assertIn("2001:db8:80::1", self.ctl.text("cache", "show", "WWW.signed.org."))
        self.assertEqual(self.ctl.json("cache", "show", "www.signed.org", "TXT")["entries"], [])
        self.assertGreater(self.ctl.json("cache", "flush", "www.signed.org", "AAAA")["removed"], 0)
        self.assertEqual(self.ctl.json("cache", "show", "www.signed.org", "AAAA")["entries"], [])
        self.net.clear_queries()
        self.assertData(self.ask("www.signed.org", "AAAA"), "2001:db8:80::1")
        self.assertTrue(self.net.queries("www.signed.org."))
        self.assertGreater(self.ctl.json("cache", "stats")["cache"]["entries"], 0)
        self.assertIn("entries", self.ctl.text("cache", "stats"))

    def test_flush_reaches_denials(self):
        """A name that was denied, also by a proof for its neighbours (RFC 8198), is asked anew."""
        self.assertEmpty(self.ask("aaa1.signed.org"), "NXDOMAIN")
        said = self.ctl.text("cache", "flush", "aaa2.signed.org")
        self.assertRegex(said, "^[1-9][0-9]* entries of the cache are gone")
        self.net.clear_queries()
        self.assertEmpty(self.ask("aaa2.signed.org"), "NXDOMAIN")
        self.assertTrue(self.net.queries("aaa2.signed.org."))

    def test_flush_subtree(self):
        for name in "www.plain.com", "mail.plain.com":
            self.ask(name, "A")
        self.assertGreater(self.ctl.json("cache", "flush", "plain.com", "--subtree")["removed"], 1)
        self.net.clear_queries()
        self.ask("www.plain.com")
        self.assertTrue(self.net.queries("www.plain.com."))

    def test_flush_all(self):
        self.ask("www.signed.org")
        self.assertIn("gone", self.ctl.text("cache", "flush", "--all"))
        self.assertEqual(self.ctl.json("cache", "stats")["cache"]["entries"], 0)
        self.assertData(self.ask("www.signed.org"), "198.18.1.1")

    def test_flush_forgets_failures(self):
        """SERVFAIL for a dead server is remembered, and not after a flush."""
        server, other = self.net.servers["pair-a"], self.net.servers["pair-b"]
        server.stop()
        other.stop()
        self.assertStatus(self.ask("n90.pair.org"), "SERVFAIL")
        server.start().wait()
        other.start().wait()
        self.ctl.text("cache", "flush", "n90.pair.org")
        self.assertData(self.ask("n90.pair.org"), "198.18.0.91")

    def test_bad_flush(self):
        for words in ((), ("--all", "name"), ("--all", "--subtree"), ("a", "b", "c"),
                      ("a..b",), ("a", "NOTYPE")):
            with self.subTest(words):
                self.assertEqual(self.ctl.run("cache", "flush", *words).returncode, 64)
        self.assertRefused("org.varlink.service.InvalidParameter", "CacheFlush")
        self.assertRefused("org.varlink.service.InvalidParameter", "CacheFlush", name="a",
                           all=True)

    def test_upstreams(self):
        self.ask("www.signed.org")
        servers = {s["address"]: s for s in self.ctl.json("upstreams")["servers"]}
        known = servers["198.51.100.30:53"] if "198.51.100.30:53" in servers else \
            servers["198.51.100.31:53"]
        self.assertTrue(known["known"])
        self.assertLess(known["srtt_us"], 1000000)
        self.assertGreaterEqual(known["tcp_us"], 0)
        self.assertEqual(known["tcp_backoff_ms"], 0)
        self.assertRegex(self.ctl.text("upstreams"), r"(?m)^198\.51\.100\.3[01]:53 ")

    def test_zones(self):
        zone, = self.ctl.json("forward", "list")["zones"]
        self.assertEqual((zone["name"], zone["kind"], zone["servers"], zone["only"]),
                         ("fwd.invalid.", "forward", ["192.0.2.99:53"], ["a-*"]))
        self.assertRegex(self.ctl.text("forward", "list"), r"fwd\.invalid\. +forward ")

    def test_zones_change(self):
        """A zone is added, replaced, left out and taken back; a reload keeps that, nothing is written."""
        ns = next(s for s in self.net.servers.values() if any(z.name == "plain.com." for z in s.zones))
        address = ns.addresses[0]
        self.addCleanup(self.ctl.text, "forward", "reset")
        self.assertStatus(self.ask("www.plain.com"), "NOERROR")
        self.ctl.text("forward", "add", "plain.com", "192.0.2.98", "192.0.2.97:5353", "--tcp",
                      "--rate", "10", "--fallback")
        zone = next(z for z in self.zones() if z["name"] == "plain.com.")
        self.assertEqual((zone["servers"], zone["transport"], zone["rate_limit"], zone["fallback"],
                          zone["added"]),
                         (["192.0.2.98:53", "192.0.2.97:5353"], "tcp", 10, True, True))
        shown = {s["key"]: s["value"] for s in self.ctl.json("config", "show")["settings"]}
        self.assertEqual(shown["forward-zones[plain.com.].transport"], "tcp")
        text = self.ctl.text("forward", "add", "plain.com", address, "--insecure")
        self.assertIn("until the daemon ends", text)
        self.net.clear_queries()
        self.until(lambda: self.ask("www.plain.com").rcode() == 0 and
                   [q for q in self.net.queries("www.plain.com.") if q.server == ns.name])
        self.ctl.json("config", "reload")
        self.assertIn("plain.com.", [z["name"] for z in self.zones()])
        self.ctl.text("forward", "remove", "plain.com")
        self.assertNotIn("plain.com.", [z["name"] for z in self.zones()])
        self.ctl.text("forward", "remove", "fwd.invalid")
        self.assertEqual(self.zones(), [])
        self.assertIn("fwd.invalid.", self.ctl.text("forward", "list"))
        self.assertEqual(self.ctl.run("forward", "remove", "fwd.invalid").returncode, 1)
        self.ctl.text("forward", "reset")
        self.assertEqual([(z["name"], z["added"]) for z in self.zones()], [("fwd.invalid.", False)])
        for words in (("a..b", "192.0.2.1"), ("a", "x"), ("a", "0.0.0.0"), ("a",),
                      ("a", *["192.0.2.1"] * 17)):
            self.assertEqual(self.ctl.run("forward", "add", *words).returncode, 64, words)

    def zones(self):
        return self.ctl.json("forward", "list")["zones"]

    def test_anchors(self):
        zone, = self.ctl.json("anchors")["anchors"]
        tags = {int(ds.split()[2]) for ds in self.net.trust_anchors}
        self.assertEqual({k["tag"] for k in zone["keys"]} & tags, tags)
        self.assertRegex(self.ctl.text("anchors"), r"\n\. +DN?S")

    def test_negative_anchor(self):
        """What is bogus is served while a negative anchor covers it, and no longer."""
        self.assertStatus(self.ask("www.badsig.org"), "SERVFAIL")
        self.ctl.text("nta", "add", "badsig.org", "--for", "1h")
        self.until(lambda: self.ask("www.badsig.org").rcode() == 0)
        left = self.ctl.json("nta", "list")["negative"]
        self.assertEqual([n["name"] for n in left], ["badsig.org."])
        self.assertIn(left[0]["left_s"], range(3580, 3601))
        self.daemon.reload()
        time.sleep(0.3)
        self.assertStatus(self.ask("www.badsig.org"), "NOERROR")
        self.assertIn("badsig.org.", self.ctl.text("nta", "list"))
        self.ctl.text("nta", "remove", "badsig.org")
        self.until(lambda: self.ask("www.badsig.org").rcode() == 2)
        self.assertEqual(self.ctl.run("nta", "remove", "badsig.org").returncode, 1)
        self.assertEqual(self.ctl.json("nta", "list")["negative"], [])

    def test_negative_anchor_of_alias(self):
        """What the same zone tells behind the alias goes with it, but not for its own name's sake."""
        self.assertStatus(self.ask("alias.badsig.org"), "SERVFAIL")
        self.ctl.text("nta", "add", "alias.badsig.org")
        self.addCleanup(self.ctl.run, "nta", "remove", "alias.badsig.org")
        self.until(lambda: self.ask("alias.badsig.org").rcode() == 0)
        self.assertNotIn("AD", self.ask("alias.badsig.org").to_text().split("flags")[1][:30])
        self.assertStatus(self.ask("www.badsig.org"), "SERVFAIL")

    def test_negative_anchor_ends(self):
        self.ctl.text("nta", "add", "expired.org", "--for", "2s")
        self.until(lambda: self.ask("www.expired.org").rcode() == 0)
        self.until(lambda: self.ask("www.expired.org").rcode() == 2)
        for seconds in 0, -1:
            self.assertRefused("org.varlink.service.InvalidParameter", "NtaAdd", name="a",
                               seconds=seconds)
        done = self.ctl.run("nta", "add", "a", "--for", "9d")
        self.assertEqual(done.returncode, 1)
        self.assertIn("it lasts for a week (7d) at most", done.stderr)

    def test_config(self):
        self.assertEqual(self.ctl.run("config", "check").returncode, 0)
        path = os.path.join(self.net.dir, "wrong.yaml")
        with open(path, "w") as out:
            out.write("\nwrokers: 1\n")
        done = self.ctl.run("config", "check", path)
        self.assertEqual(done.returncode, 78)
        self.assertIn(f"{path}:2: wrokers: unknown key", done.stdout)
        with open(path, "w") as out:
            out.write("dnssec:\n  trust-anchors:\n  - '. DS 1 8 2 %s'\n  - '. DS 2 99 2 %s'\n"
                      % (64 * "A", 64 * "B"))
        done = self.ctl.run("config", "check", path)
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, rf"{path}:4: dnssec\.trust-anchors\[1\].*left out")
        shown = {s["key"]: s["value"] for s in self.ctl.json("config", "show")["settings"]}
        self.assertEqual(shown["listen"], "127.0.0.1:53")
        self.assertEqual(shown["forward-zones"], "fwd.invalid.")
        self.assertIn("control.socket", self.ctl.text("config", "show"))
        for bad in "/dev/zero", self.net.dir:
            self.assertEqual(self.ctl.run("config", "check", bad).returncode, 1)

    def test_log(self):
        self.assertEqual(self.ctl.text("log", "debug"), "debug\n")
        self.ask("www.signed.com")
        self.assertEqual(self.ctl.text("log", "info"), "info\n")
        self.assertEqual(self.ctl.text("log"), "info\n")
        self.assertEqual(self.ctl.run("log", "loud").returncode, 64)

    def logged(self, *words):
        """The query log's lines about the questions of this test, filtered so."""
        if words:
            self.ctl.text("log", "queries", *words)
            time.sleep(0.2)         # a worker takes it up before its next batch but one
        before = len(self.daemon.said())
        self.ask("logged.signed.org")
        self.ask("LOGGED.signed.org", tcp=True)
        self.ask("www.badsig.org")
        self.ask("other.signed.com")
        time.sleep(0.3)
        return [dict(word.split("=", 1) for word in line.split()[1:])
                for line in self.daemon.said()[before:].splitlines() if line.startswith("query ")]

    def test_log_queries(self):
        self.assertEqual(self.logged(), [])
        self.assertEqual(self.ctl.text("log", "queries", "on"), "on\n")
        time.sleep(0.2)
        lines = self.logged()
        self.assertEqual([(line["name"], line["transport"], line["rcode"]) for line in lines],
                         [("logged.signed.org.", "udp", "NXDOMAIN"),
                          ("logged.signed.org.", "tcp", "NXDOMAIN"),
                          ("www.badsig.org.", "udp", "SERVFAIL"),
                          ("other.signed.com.", "udp", "NXDOMAIN")])
        self.assertEqual(lines[1]["cache"], "hit")
        for line in lines:
            self.assertTrue(line["client"].startswith("127.0.0.1:"))
            self.assertLess(int(line["took_us"]), 3000000)
            self.assertGreater(int(line["bytes"]), 12)
        self.ctl.run("cache", "flush", "signed.com", "--subtree")
        self.assertEqual(self.logged("on")[-1]["cache"], "miss")
        for words, count in ((("rcode=SERVFAIL",), 1), (("name=signed.org.",), 2),
                             (("client=127.0.0.0/8", "name=signed.org.", "sample=2"), 1),
                             (("client=::/0",), 0), (("slower=59000ms",), 0)):
            self.assertEqual(self.ctl.text("log", "queries"), self.ctl.text("l", "q"))
            self.assertEqual(len(self.logged(*words)), count, words)
            self.assertEqual(self.ctl.text("log", "queries"), " ".join(words) + "\n")
        self.assertEqual(self.ctl.run("log", "queries", "loud").returncode, 64)
        self.ctl.text("config", "reload")       # which has its own word
        self.assertEqual(self.ctl.text("log", "queries"), "off\n")
        time.sleep(0.2)
        self.assertEqual(self.logged(), [])

    def test_version(self):
        self.assertRegex(self.ctl.text("version"), r"^\d+\.\d+\.\d+\n$")


class Doubts(ControlCase):
    config = {**ControlCase.config, "dnssec": {"trust-anchors": [". DS 1 8 2 " + 32 * "AB"]}}

    def test_status_warns(self):
        """Root hints and trust anchors that do not belong together are loud (issue: status)."""
        self.assertEqual(self.link().call("Status")["warnings"], [])
        self.assertStatus(self.ask("www.signed.org"), "SERVFAIL")
        warnings = self.link().call("Status")["warnings"]
        self.assertEqual(len(warnings), 1)
        self.assertIn("trust anchor", warnings[0])
        self.assertIn("trust anchor", self.ctl.run("status").stdout)


class Reload(ControlCase):
    def tearDown(self):
        self.daemon.configure(self.config)
        self.ctl.run("config", "reload")

    def refused(self):
        """Who asks from 192.0.2.1 is refused."""
        return self.ask("www.signed.org", source="192.0.2.1").rcode() == 5

    def test_reload(self):
        """By the socket as by SIGHUP; notes name what a restart takes; what is bad is refused."""
        self.assertFalse(self.refused())
        self.daemon.configure({**self.config, "workers": 2, "access": {"allow": ["loopback"]}})
        notes = self.ctl.json("config", "reload")["notes"]
        self.assertEqual(notes, ["workers is changed only by a restart"])
        self.until(self.refused)
        with open(self.daemon.file, "w") as out:
            out.write("wrokers: 1\n")
        done = self.ctl.run("config", "reload")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r":1: wrokers: unknown key")
        self.assertTrue(self.refused())
        self.daemon.configure(self.config)
        self.daemon.reload()
        self.until(lambda: not self.refused())

    def test_socket_survives(self):
        """A session goes on over a reload, its own or another's."""
        link = self.link()
        for _ in range(5):
            link.call("ConfigReload")
            self.daemon.reload()
            self.assertTrue(link.call("Version"))


class ReloadUnderLoad(ControlCase):
    """Nothing is lost, whatever is reloaded, however often."""
    rate, seconds = 400, 6

    def load(self, *words):
        child = subprocess.Popen([self.ctl.program, "--json", "probe", "--rate", str(self.rate),
                                  "--for", f"{self.seconds}s", "--timeout", "5s", "--slow", "5s",
                                  *words], stdout=subprocess.PIPE, text=True)
        self.addCleanup(lambda: child.poll() is None and (child.kill(), child.wait()))
        self.addCleanup(child.stdout.close)
        return child

    def variants(self):
        """Configurations that differ in what can change at run time."""
        yield {**self.config, "log": {"level": "notice", "queries": False}}
        yield {**self.config, "access": {"allow": ["loopback", "192.0.2.0/24"]}}
        yield {**self.config, "forward-zones": [{"name": "other.invalid.", "servers": ["192.0.2.98"]}]}
        yield {**self.config, "serve-stale": {"enabled": True}, "prefetch": {"enabled": True}}
        yield {**self.config, "local-zones": [{"name": "here.invalid.", "action": "static",
                                               "records": ["here.invalid. 60 IN A 10.0.0.1"]}]}
        yield self.config

    @case.slow
    def test_nothing_is_lost(self):
        """Hits and misses, UDP and TCP, while it is reloaded and while bad files are refused."""
        self.ask("www.signed.org")
        kept = self.ctl.json("cache", "show", "www.signed.org")["entries"]
        misses = [f"n{i}.pair.org" for i in range(25)]
        loads = [self.load("www.signed.org"), self.load("www.signed.org", "--tcp"),
                 self.load("www.signed.org", "www.plain.com", *misses)]
        reloads, deadline = 0, time.monotonic() + self.seconds - 1
        while time.monotonic() < deadline:
            for variant in self.variants():
                self.daemon.configure(variant)
                self.assertEqual(self.ctl.json("config", "reload")["notes"], [])
                with open(self.daemon.file, "a") as out:
                    out.write("\nwrokers: 1\n")
                self.assertEqual(self.ctl.run("config", "reload").returncode, 1)
                reloads += 2
                time.sleep(0.05)
        for load in loads:
            out, _ = load.communicate(timeout=30)
            figures = json.loads(out.splitlines()[-1])["servers"][0]
            self.assertEqual((load.returncode, figures["answers"]), (0, figures["sent"]), out[:2000])
            self.assertGreater(figures["sent"], self.rate * self.seconds * 0.9)
        self.assertGreater(reloads, 20)
        # The same entry, not one that was fetched again.
        after = self.ctl.json("cache", "show", "www.signed.org")["entries"]
        age = {e["type"]: e["age_s"] for e in after}
        self.assertTrue(all(age[e["type"]] >= self.seconds - 1 for e in kept), after)

    def test_bad_file_changes_nothing(self):
        """What is in effect after a refused file is what was before, and the line says where."""
        before = self.ctl.json("config", "show")
        for text, words in (("listen: [\n", r":\d+:"), ("dnssec: {trust-anchors: [x]}\n", "trust-anchors"),
                            ("forward-zones: [{name: a., servers: [x]}]\n", r"forward-zones\[0\]"),
                            ("dnssec: {trust-anchors: ['. DS 1 99 2 %s']}\n" % (64 * "A"),
                             "no other anchor"),
                            ("log: {level: loud}\n", "log.level")):
            with open(self.daemon.file, "w") as out:
                out.write(text)
            done = self.ctl.run("config", "reload")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, words)
            self.assertEqual(self.ctl.json("config", "show"), before)
        self.daemon.configure(self.config)


class Explain(ControlCase):
    """The true cause, in plain words."""

    def explain(self, name, rrtype="A"):
        reply = self.ctl.json("explain", name, rrtype)
        text = self.ctl.text("explain", name, rrtype)
        self.assertTrue(text.strip())
        return reply["summary"], "\n".join(reply["story"]), reply

    def test_answer(self):
        self.ask("www.signed.org")
        summary, story, reply = self.explain("www.signed.org")
        self.assertRegex(summary, r"^www\.signed\.org\. A is answered from the cache .*secure")
        self.assertEqual(reply["zone"], "signed.org.")
        self.assertIn("198.51.100.3", story)
        self.assertIsNone(reply["failure"])

    def test_chain(self):
        self.ask("alias.plain.com")
        self.ctl.text("cache", "flush", "www.plain.com")
        summary, story, _ = self.explain("alias.plain.com")
        self.assertRegex(summary + story, r"www\.plain\.com|answered from the cache")

    def test_denials(self):
        self.ask("nothing.signed.org")
        self.assertRegex(self.explain("nothing.signed.org")[0], r"does not exist \(NXDOMAIN")
        self.ask("www.signed.org", "TXT")
        self.assertRegex(self.explain("www.signed.org", "TXT")[0], r"no such records")

    def test_nothing(self):
        self.assertRegex(self.explain("never.asked.org")[0], r"^Nothing is cached")

    def test_bogus(self):
        """Each reason names the record or the zone."""
        for name, words in (("www.badsig.org", r"www\.badsig\.org"),
                            ("www.expired.org", r"expired"),
                            ("www.future.org", r"not yet valid|Not Yet Valid"),
                            ("www.nosig.org", r"www\.nosig\.org|RRSIGs Missing"),
                            ("www.wrongds.org", r"wrongds\.org"),
                            ("www.stripped.org", r"stripped\.org")):
            with self.subTest(name):
                self.assertStatus(self.ask(name), "SERVFAIL")
                summary, story, _ = self.explain(name)
                self.assertIn("SERVFAIL", summary)
                self.assertRegex(summary + story, words)

    @case.slow
    def test_dead_servers(self):
        self.assertStatus(self.ask("www.dead.org"), "SERVFAIL")
        self.until(lambda: self.explain("www.dead.org")[2]["failure"], 12)
        summary, story, reply = self.explain("www.dead.org")
        self.assertRegex(summary, r"SERVFAIL|failed .* ago")
        self.assertIn("198.51.100.90", summary + story)
        self.assertEqual(reply["zone"], "dead.org.")
        self.assertEqual(reply["failure"]["ede"] in (22, 23), True)
        self.assertRegex(story, r"Server 198\.51\.100\.90:53 did not answer")

    def test_configuration(self):
        self.assertRegex(self.explain("localhost")[0], r"built-in local zone localhost\.")
        self.assertRegex(self.explain("b.fwd.invalid")[0], r'no "only" pattern')
        self.assertRegex(self.explain("a-1.fwd.invalid")[1], r"forward zone fwd\.invalid\.")
        self.ctl.text("nta", "add", "signed.com")
        self.addCleanup(self.ctl.text, "nta", "remove", "signed.com")
        self.assertRegex(self.explain("www.signed.com")[1], r"negative trust anchor")


class Clients(ControlCase):
    def test_rude_clients(self):
        """Stalled, flooding, garbage, gone in the midst: others are served, and so is DNS."""
        stalled = self.link()
        stalled.sock.sendall(b'{"method":"io.res')
        flood = self.link()
        flood.sock.setblocking(False)
        call = b'{"method":"io.resolverd.ConfigShow"}\0' * 100
        for _ in range(1000):
            try:
                flood.sock.send(call)
            except BlockingIOError:
                break
        else:
            self.fail("a client that does not read is listened to without end")
        for garbage in b"\0", b"\xff\xfe\0", b"[]\0", b"x" * 200000:
            rude = self.link()
            try:
                rude.sock.sendall(garbage)
                rude.sock.shutdown(socket.SHUT_WR)
                self.assertEqual(rude.sock.recv(100), b"")
            except ConnectionError:
                pass
        for _ in range(20):
            gone = self.link()
            gone.send("Stats", more=True, interval_ms=100)
            gone.close()
        begin = time.monotonic()
        self.assertTrue(self.link().call("Version"))
        self.assertData(self.ask("www.signed.org"), "198.18.1.1")
        self.assertLess(time.monotonic() - begin, 1)
        stalled.sock.sendall(b'olverd.Version"}\0')
        self.assertTrue(stalled.receive())

    def test_crowd(self):
        """More clients than there is room for: the quietest go, the newest are served."""
        links = [self.link() for _ in range(40)]
        for link in links[-10:]:
            self.assertTrue(link.call("Version"))
        self.assertLess(self.open_descriptors(), 200)
        for link in links:
            link.close()

    def open_descriptors(self):
        return len(os.listdir(f"/proc/{self.daemon.process.pid}/fd"))

    def test_pipelining(self):
        link = self.link()
        for _ in range(50):
            link.send("Version")
        for _ in range(50):
            self.assertTrue(link.receive())

    def test_many_at_once(self):
        wrong = []

        def work():
            try:
                link = self.ctl.varlink()
                for i in range(30):
                    link.call(("Status", "Upstreams", "CacheStats", "ConfigReload")[i % 4])
                link.close()
            except Exception as error:      # told below
                wrong.append(error)
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for i in range(50):
            self.assertStatus(self.ask(f"n{i}.signed.org"), "NOERROR")
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_command_line(self):
        """Prefixes, help, mistakes and exit statuses."""
        self.assertIn("resolverd", self.ctl.text("statu"))
        self.assertEqual(self.ctl.text("ver"), self.ctl.text("version"))
        self.assertIn("entries", self.ctl.text("ca", "sta"))
        done = self.ctl.run("sta")
        self.assertEqual(done.returncode, 64)
        self.assertRegex(done.stderr, '"status" "stats"')
        self.assertIn("cache flush", self.ctl.text("--help"))
        for words in (), ("nonsense",), ("cache",), ("status", "x"), ("status", "--all"), \
                ("--no-such", "status"), ("stats", "--interval", "1ms"), ("nta", "add", "a", "--for", "x"):
            done = self.ctl.run(*words)
            self.assertEqual(done.returncode, 64, words)
            self.assertTrue(done.stderr.strip(), words)
        self.assertNotIn("\033", self.ctl.text("status"))

    def test_not_there(self):
        done = subprocess.run([self.ctl.program, "-s", "/nonexistent/socket", "status"],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 69)
        self.assertIn("is resolverd running?", done.stderr)
        path = os.path.join(self.net.dir, "stale.sock")
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(path)
        done = subprocess.run([self.ctl.program, "-s", path, "status"], capture_output=True,
                              text=True, check=False)
        self.assertEqual(done.returncode, 69)
        self.assertIn("not running", done.stderr)


class Permissions(ControlCase):
    """control.readonly and the socket's group, seen by another user."""

    def another(self, **control):
        daemon = self.net.resolver({"listen": ["127.0.0.2:53"]}, address="127.0.0.2")
        path = os.path.join("/tmp", f"resolverd-test-{os.getpid()}.sock")
        daemon.configure({"control": {"socket": path, **control}})
        daemon.start()
        self.addCleanup(lambda: daemon.process and daemon.stop())
        ctl = Ctl(self.net, daemon)
        ctl.socket = path
        return daemon, ctl

    def status_of(self, ctl, wrapper, *words):
        # The build's directory may be closed to other users: run a copy that they can read.
        copy = os.path.join("/tmp", f"resolverctl-test-{os.getpid()}")
        subprocess.run(["install", "-m", "755", self.ctl.program, copy], check=True)
        self.addCleanup(lambda: os.path.exists(copy) and os.unlink(copy))
        done = subprocess.run([*wrapper, copy, "-s", ctl.socket, *words], capture_output=True,
                              text=True, check=False, cwd="/")
        if done.returncode:
            self.assertIn("denied", done.stderr)
        return done.returncode

    def setUp(self):
        super().setUp()
        if os.getuid() != 0 or subprocess.run([*NOBODY, "true"], check=False,
                                              stderr=subprocess.DEVNULL).returncode:
            self.skipTest("needs to become another user")

    def test_default(self):
        """Root alone, and nobody's socket lies open."""
        _, ctl = self.another()
        self.assertEqual(os.stat(ctl.socket).st_mode & 0o777, 0o660)
        self.assertEqual(self.status_of(ctl, NOBODY, "version"), 77)
        self.assertEqual(ctl.run("version").returncode, 0)

    def test_group(self):
        """Members of the group may all."""
        _, ctl = self.another(group="sys")
        self.assertEqual(os.stat(ctl.socket).st_gid, 3)
        self.assertEqual(self.status_of(ctl, MEMBER, "cache", "flush", "--all"), 0)
        self.assertEqual(self.status_of(ctl, NOBODY, "version"), 77)

    def test_group_reads(self):
        _, ctl = self.another(group="sys", readonly="group")
        self.assertEqual(self.status_of(ctl, MEMBER, "status"), 0)
        self.assertEqual(self.status_of(ctl, MEMBER, "cache", "flush", "--all"), 77)
        self.assertEqual(ctl.run("cache", "flush", "--all").returncode, 0)

    def test_all_read(self):
        daemon, ctl = self.another(readonly="all")
        for words in ("status",), ("prefetch", "list"), ("prefetch", "stats"), ("forward", "list"):
            self.assertEqual(self.status_of(ctl, NOBODY, *words), 0, words)
        for words in (("cache", "flush", "--all"), ("nta", "add", "a"), ("config", "reload"),
                      ("config", "check"), ("log", "debug"), ("top",), ("watch",),
                      ("cache", "dump"), ("cache", "load", "/etc/hostname"),
                      ("forward", "add", "a", "192.0.2.1"), ("forward", "remove", "a"),
                      ("forward", "reset"), ("prefetch", "now", "a")):
            self.assertEqual(self.status_of(ctl, NOBODY, *words), 77, words)
        daemon.configure({"control": {"socket": ctl.socket}})
        self.assertEqual(ctl.json("config", "reload")["notes"], [])
        self.assertEqual(self.status_of(ctl, NOBODY, "status"), 77)

    def test_socket_in_use(self):
        """A second daemon leaves the first one's socket alone, says so, and serves."""
        _, ctl = self.another()
        second = self.net.resolver({"listen": ["127.0.0.3:53"],
                                    "control": {"socket": ctl.socket}}, address="127.0.0.3")
        second.start()
        self.addCleanup(lambda: second.process and second.stop())
        self.assertSaid("no control socket", second)
        self.assertEqual(second.stop(), 0)
        self.assertEqual(ctl.run("version").returncode, 0)

    def test_stale_socket(self):
        """One that a killed daemon left behind is replaced."""
        daemon, ctl = self.another()
        daemon.process.kill()
        daemon.process.wait()
        self.assertTrue(os.path.exists(ctl.socket))
        daemon.start()
        self.assertEqual(ctl.run("version").returncode, 0)
        self.assertEqual(daemon.stop(), 0)
        self.assertFalse(os.path.exists(ctl.socket))
