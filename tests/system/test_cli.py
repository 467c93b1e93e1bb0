"""resolverctl where it is more than a call: probing, completion, terminals."""
import json
import os
import shutil
import signal
import subprocess
import time
import unittest

import case
from control import Ctl


class CliCase(case.DaemonCase):
    config = {"serve-stale": {"enabled": False}}

    def setUp(self):
        super().setUp()
        self.net.heal()
        self.ctl = Ctl(self.net, self.daemon)

    def start(self, *words):
        child = subprocess.Popen([self.ctl.program, "--socket", self.ctl.socket, *words],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                 stdin=subprocess.DEVNULL)
        self.addCleanup(lambda: child.poll() is None and (child.kill(), child.wait()))
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stderr.close)
        return child


class Probe(CliCase):
    def probe(self, *words):
        """The exit status and the events, the summary last."""
        done = self.ctl.run("--json", "probe", *words)
        self.assertEqual(done.stderr, "")
        return done.returncode, [json.loads(line) for line in done.stdout.splitlines()]

    def test_answers(self):
        """Every question is answered, over both transports; percentiles are in order."""
        self.ask("www.signed.org")
        for transport in (), ("--tcp",):
            status, events = self.probe("www.signed.org", "nothing.signed.org", "--count", "200",
                                        "--rate", "1000", *transport)
            self.assertEqual((status, [e["event"] for e in events]), (0, ["summary"]))
            server, = events[-1]["servers"]
            self.assertEqual((server["sent"], server["answers"], server["nxdomain"]),
                             (200, 200, 100))
            times = [server[key] for key in ("min_ms", "p50_ms", "p95_ms", "p99_ms", "p999_ms",
                                             "max_ms")]
            self.assertEqual(times, sorted(times))
            self.assertGreater(times[0], 0)

    def test_type(self):
        status, events = self.probe("www.signed.org", "--type", "AAAA", "--count", "1")
        self.assertEqual((status, events[-1]["servers"][0]["nxdomain"]), (0, 0))
        self.assertTrue(self.ctl.json("cache", "show", "www.signed.org", "AAAA")["entries"])

    def test_side_by_side(self):
        """A server that is not there does not change the figures of the other."""
        status, events = self.probe("www.signed.org", "--count", "20", "--rate", "200",
                                    "--server", "127.0.0.1", "--server", "127.0.0.1:9")
        self.assertEqual(status, 1)
        here, gone = events[-1]["servers"]
        self.assertEqual((here["answers"], gone["network_errors"]), (20, 20))
        failures = [e for e in events if e["event"] == "failure"]
        self.assertEqual({e["server"] for e in failures}, {"127.0.0.1:9"})
        self.assertEqual({e["result"] for e in failures}, {"Connection refused"})

    def test_failures(self):
        """SERVFAIL is told with its reason, silence as such, and both end in the exit status."""
        status, events = self.probe("www.badsig.org", "--count", "1")
        self.assertEqual((status, events[0]["event"]), (1, "failure"))
        self.assertRegex(events[0]["result"], r"^SERVFAIL \(EDE \d+, ")
        status, events = self.probe("www.signed.org", "--count", "2", "--timeout", "100ms",
                                    "--server", "203.0.113.7")
        self.assertEqual((status, events[-1]["servers"][0]["timeouts"]), (1, 2))

    def test_outliers(self):
        for which in "pair-a", "pair-b":
            self.net.servers[which].link.delay_s = 0.05
        status, events = self.probe("n77.pair.org", "--count", "3", "--rate", "5", "--slow", "20ms")
        self.assertEqual((status, [e["event"] for e in events]), (0, ["slow", "summary"]))
        self.assertGreater(events[0]["took_ms"], 20)
        self.assertIn("NOERROR", events[0]["result"])

    def test_connection_closed(self):
        """Over TCP the connection is opened again when the server closes it."""
        child = self.start("--json", "probe", "www.signed.org", "--tcp", "--rate", "20", "--for",
                           "3s", "--interval", "200ms")
        time.sleep(0.5)
        self.assertEqual(self.daemon.stop(), 0)
        time.sleep(0.3)
        self.daemon.start()
        out, _ = child.communicate(timeout=10)
        last = json.loads(out.splitlines()[-1])["servers"][0]
        self.assertEqual(child.returncode, 1)
        self.assertGreater(last["network_errors"], 0)
        self.assertGreater(last["answers"], 20)

    def test_signal(self):
        """A signal ends it with the summary."""
        for number in signal.SIGINT, signal.SIGTERM:
            child = self.start("probe", "www.signed.org", "--rate", "100")
            time.sleep(0.3)
            child.send_signal(number)
            out, err = child.communicate(timeout=5)
            self.assertEqual((child.returncode, err), (0, ""))
            self.assertRegex(out, r"(?s)1 name over UDP for 0\.\d s:\nserver +asked.*\n127\.0\.0\.1:53 ")

    def test_command_line(self):
        for words in (("a..b",), ("a", "--server", "x"), ("a", "--rate", "0"), ("a", "--type", "?"),
                      ("a", "--count", "x"), (), ("a", "--timeout", "2h")):
            done = self.ctl.run("probe", *words)
            self.assertEqual(done.returncode, 64, words)
            self.assertTrue(done.stderr.strip(), words)


class Bulk(CliCase):
    """Dump, load, a long flush: all or nothing of the file, and nothing of it believed."""
    names = ("www.signed.org", "alias.plain.com", "nothing.signed.org", "www.plain.com")

    def setUp(self):
        super().setUp()
        self.ctl.text("cache", "flush", "--all")
        for name in self.names:
            self.ask(name)

    def dump(self, *words):
        path = os.path.join(self.net.dir, "dump")
        done = self.ctl.run(*words, "cache", "dump", path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(os.path.exists(path + ".new"))
        with open(path) as lines:
            return path, lines.read().splitlines()

    def test_dump(self):
        """Every entry is there once, in the form that the man page documents."""
        _, lines = self.dump()
        self.assertRegex(lines[0], r"^;resolverd cache dump 1, \d+$")
        heads = [line.split() for line in lines if line.startswith(";entry ")]
        self.assertEqual(lines[-1], f";end {len(heads)}")
        self.assertTrue(all(len(head) == 11 for head in heads), heads)
        self.assertEqual(len(heads), self.ctl.json("cache", "stats")["cache"]["entries"])
        self.assertEqual(len({tuple(head[1:4]) for head in heads}), len(heads))
        self.assertIn("www.signed.org.\t", "".join(l for l in lines if not l.startswith(";")))
        self.assertIn(lines[-1], self.ctl.text("cache", "dump").splitlines())
        below = self.ctl.text("cache", "dump", "-", "plain.com")
        self.assertIn(";entry www.plain.com. ", below)
        self.assertNotIn("signed.org", below)

    def test_dump_json(self):
        _, lines = self.dump("--json")
        entries = [json.loads(line) for line in lines]
        self.assertIn(("www.signed.org.", "A", "rrset"),
                      {(e["name"], e["type"], e["kind"]) for e in entries})

    def test_dump_refused(self):
        done = self.ctl.run("cache", "dump", "/nonexistent/dump")
        self.assertEqual(done.returncode, 71)
        self.assertIn("/nonexistent/dump", done.stderr)

    def test_load(self):
        """What is loaded is asked for anew, in both forms; what is cached is left alone."""
        for form in (), ("--json",):
            path, _ = self.dump(*form)
            self.ctl.text("cache", "flush", "--all")
            self.net.clear_queries()
            loaded = self.ctl.json("cache", "load", path, "--rate", "1000")
            self.assertGreaterEqual(loaded["asked"], 4)
            self.assertEqual(loaded["rejected"], 0)
            self.until(lambda: all(self.entries(name) for name in self.names))
            self.assertTrue(self.net.queries("www.signed.org."))
            again = self.ctl.json("cache", "load", path)
            self.assertEqual(again["asked"], 0)
            self.assertEqual(self.entries("www.signed.org")[0]["verdict"], "secure")

    def entries(self, name):
        return self.ctl.json("cache", "show", name)["entries"]

    def until(self, condition, timeout_s=5):
        deadline = time.monotonic() + timeout_s
        while not condition():
            self.assertLess(time.monotonic(), deadline, "nothing changed")
            time.sleep(0.05)

    def test_load_gains_no_trust(self):
        """A dump that lies about records, verdicts and ranks changes nothing but what is asked."""
        path = os.path.join(self.net.dir, "lies")
        with open(path, "w") as out:
            out.write(";resolverd cache dump 1, 0\n"
                      ";entry www.badsig.org. A rrset secure secure NOERROR 3600 3600 9 0\n"
                      "www.badsig.org.\t3600\tIN\tA\t192.0.2.66\n"
                      ";entry ns.evil.org. A rrset secure\n"
                      ";entry www.signed.com. DNSKEY rrset secure secure NOERROR 1 1 1 1\n"
                      ";entry signed.org. - delegation secure secure NOERROR 1 1 1 1\n"
                      "garbage \xff\n;end 3\n")
        loaded = self.ctl.json("cache", "load", path)
        self.assertEqual((loaded["asked"], loaded["skipped"]), (2, 2))
        self.assertStatus(self.ask("www.badsig.org"), "SERVFAIL")
        self.assertFalse([e for e in self.entries("www.badsig.org") if e["verdict"] == "secure"])

    def test_load_names(self):
        """A plain list of names will do; what is no name is told."""
        path = os.path.join(self.net.dir, "names")
        self.ctl.text("cache", "flush", "--all")
        with open(path, "w") as out:
            out.write("# ours\nwww.plain.com AAAA\nwww.plain.com\na..b A\nx NOTYPE\n\n")
        loaded = self.ctl.json("cache", "load", path)
        self.assertEqual((loaded["asked"], loaded["rejected"]), (2, 2))
        self.until(lambda: self.entries("www.plain.com"))
        self.assertEqual(self.ctl.run("cache", "load", "/nonexistent").returncode, 64)

    def test_flush_in_steps(self):
        """With `more` a flush tells how far it is; who goes away ends it and harms nobody."""
        link = self.ctl.varlink()
        self.addCleanup(link.close)
        replies = list(link.stream_of("CacheFlush", name="com", subtree=True))
        self.assertEqual(replies[-1]["done_percent"], 100)
        self.assertGreater(replies[-1]["removed"], 1)
        percents = [r["done_percent"] for r in replies]
        self.assertEqual(percents, sorted(percents))
        self.assertFalse(self.entries("www.plain.com"))
        self.assertTrue(self.entries("www.signed.org"))
        gone = self.ctl.varlink()
        gone.send("CacheFlush", more=True, all=True)
        gone.close()
        gone = self.ctl.varlink()
        gone.send("CacheDump", more=True)
        gone.close()
        self.assertData(self.ask("www.plain.com"), *case.data(self.ask("www.plain.com")))


class Prefetch(CliCase):
    config = {"prefetch": {"min-hits": 1, "min-yield": 0, "zones": [
        {"name": "plain.com.", "min-hits": 1, "remaining": "50%"}]}}

    def test_list(self):
        """A name that is asked for again is kept, and listed with its rule."""
        def kept():
            self.ask("www.plain.com")
            return {n["name"]: n for n in self.ctl.json("prefetch", "list")["names"]}
        deadline = time.monotonic() + 10
        while "www.plain.com." not in kept():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.3)
        name = kept()["www.plain.com."]
        self.assertEqual((name["type"], name["rule"]), ("A", "plain.com."))
        self.assertGreater(name["left_ms"], 0)
        self.assertRegex(self.ctl.text("prefetch", "list"), r"www\.plain\.com\. +A ")
        stats = self.ctl.json("prefetch", "stats")
        self.assertGreater(stats["kept"], 0)
        self.assertEqual([r["name"] for r in stats["rules"]], [None, "plain.com."])
        self.assertIn("50 %", self.ctl.text("prefetch", "stats"))

    def test_now(self):
        """Asked for past the cache; the answer is told when it comes, and so is a failure."""
        self.ask("www.signed.org")
        self.net.clear_queries()
        reply = self.ctl.json("prefetch", "now", "www.signed.org")
        self.assertTrue(reply["done"])
        self.assertEqual(reply["entries"][0]["age_s"], 0)
        self.assertTrue(self.net.queries("www.signed.org."))
        self.assertIn("198.18.1.1", self.ctl.text("prefetch", "now", "www.signed.org"))
        self.assertEqual(self.ctl.run("prefetch", "now", "a..b").returncode, 64)

    @case.slow
    def test_now_fails(self):
        done = self.ctl.run("prefetch", "now", "www.badsig.org")
        self.assertEqual(done.returncode, 1)
        self.assertIn("Nothing came", done.stdout)


COMPLETIONS = (
    ("resolverctl ca", "cache"), ("resolverctl cache fl", "flush"),
    ("resolverctl --socket x nta re", "remove"), ("resolverctl -s x nta re", "remove"),
    ("resolverctl cache flush --su", "--subtree"), ("resolverctl cache flush a --su", "--subtree"),
    ("resolverctl status --su", ""), ("resolverctl --ver", "--version"),
    ("resolverctl completion z", "zsh"), ("resolverctl stats --watch --int", "--interval"),
    ("resolverctl config check /etc/host", None),
)


class Completion(CliCase):
    def test_bash(self):
        """Bash takes the script, and words are completed by it."""
        script = self.ctl.text("completion", "bash")
        for line, wanted in COMPLETIONS:
            words = line.split()
            code = (script + "\nCOMP_WORDS=(" + " ".join(words) + f"); COMP_CWORD={len(words) - 1}; "
                    "_resolverctl; echo \"${COMPREPLY[*]}\"")
            done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False)
            self.assertEqual(done.stderr, "", line)
            if wanted is None:
                self.assertIn("/etc/hosts", done.stdout)
            else:
                self.assertEqual(done.stdout.strip(), wanted, line)

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh(self):
        """zsh takes the script; what it offers is what compadd gets."""
        script = self.ctl.text("completion", "zsh")
        path = os.path.join(self.net.dir, "_resolverctl")
        with open(path, "w") as out:
            out.write(script)
        for line, wanted in COMPLETIONS:
            if wanted is None:
                continue
            words = line.split()
            code = ("compdef() { }; compadd() { print -l -- ${choice}; }; _files() { }\n"
                    f". {path}\nwords=({' '.join(words)}); CURRENT={len(words)}\n"
                    "typeset -a choice; _resolverctl")
            done = subprocess.run(["zsh", "-f", "-c", code], capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.stderr, "", line)
            offered = [w for w in done.stdout.split() if w.startswith(words[-1])]
            self.assertEqual(" ".join(offered), wanted, line)
