"""resolverctl where it is more than a call: probing, completion, terminals."""
import json
import os
import shutil
import signal
import subprocess
import threading
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

    def test_end(self):
        """What is open when the last has been asked is waited for, reports before that or not."""
        for interval in "100ms", "10s":
            status, events = self.probe("www.signed.org", "--count", "2", "--timeout", "500ms",
                                        "--interval", interval, "--server", "203.0.113.7")
            self.assertEqual((status, events[-1]["servers"][0]["timeouts"]), (1, 2), interval)

    def test_outliers(self):
        for which in "pair-a", "pair-b":
            self.net.servers[which].link.delay_s = 0.2
        status, events = self.probe("n77.pair.org", "--count", "3", "--rate", "2", "--slow", "300ms")
        self.assertEqual((status, [e["event"] for e in events]), (0, ["slow", "summary"]))
        self.assertGreater(events[0]["took_ms"], 300)
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

    def test_now_fails(self):
        """The reason is told at once, also where the question failed before and that is remembered."""
        for _ in range(2):
            done = self.ctl.run("prefetch", "now", "www.badsig.org")
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stdout, r"Nothing good came: it was answered NOERROR, bogus, from .*"
                                          r"www\.badsig\.org\..*DNSSEC Bogus")
        self.assertFalse(self.ctl.json("prefetch", "now", "www.badsig.org")["done"])


class Watch(CliCase):
    name = "db.cluster-abc.eu-west-1.rds.amazonaws.com"
    config = {"serve-stale": {"enabled": False}, "prefetch": {"zones": [
        {"name": "amazonaws.com.", "min-hits": 1, "min-yield": 0}]}}

    def watch(self, *words):
        child = self.start(*words)
        time.sleep(0.3)
        return child

    def test_failures(self):
        """A failure is told with its reason and who asked; only below the name that is watched."""
        child = self.watch("--json", "watch", "badsig.org", "--count", "1")
        human = self.watch("watch", "--count", "2")
        self.ask("www.expired.org")
        self.ask("www.badsig.org")
        out, _ = child.communicate(timeout=10)
        event, = [json.loads(line) for line in out.splitlines()]
        self.assertEqual((event["kind"], event["name"], event["type"], event["rcode"]),
                         ("failure", "www.badsig.org.", "A", "SERVFAIL"))
        self.assertTrue(event["client"].startswith("127.0.0.1:"))
        self.assertTrue(event["text"] and event["ede_name"])
        out, _ = human.communicate(timeout=10)
        self.assertRegex(out, r"^\d\d:\d\d:\d\d failed  www\.expired\.org\. A: SERVFAIL: .*"
                              r"\(EDE \d+, .*\) after \d+ ms, asked by 127\.0\.0\.1:\d+\n")
        self.assertEqual((child.returncode, human.returncode), (0, 0))

    @case.slow
    def test_changes(self):
        """A failover is told as it is found."""
        self.ask(self.name)
        child = self.watch("--json", "watch", "amazonaws.com", "--count", "1")
        for name, server in self.net.servers.items():
            if name.startswith("aws"):
                server.link.edit = lambda reply: reply.replace(bytes([10, 0, 1, 11]),
                                                               bytes([10, 0, 9, 99]))
        out, _ = child.communicate(timeout=15)
        event = json.loads(out)
        self.assertEqual((event["kind"], event["name"]), ("change", self.name + "."))
        self.assertIn("10.0.1.11", event["old"])
        self.assertIn("10.0.9.99", event["new"])

    def test_signal(self):
        child = self.watch("watch")
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=5)
        self.assertEqual((child.returncode, out, err), (0, "", ""))

    def test_too_many(self):
        """Those who do not read hold up nobody: DNS goes on, others are told, drops are said."""
        stalled = [self.ctl.varlink() for _ in range(4)]
        for link in stalled:
            self.addCleanup(link.close)
            link.send("Watch", more=True)
        reader = self.ctl.varlink()
        self.addCleanup(reader.close)
        reader.send("Watch", more=True, name="pair.org")
        self.ctl.text("cache", "flush", "pair.org", "--subtree")
        self.net.servers["pair-a"].stop()
        self.net.servers["pair-b"].stop()
        replies = self.ask_all([self.query(f"x{i}.pair.org") for i in range(300)], 5)
        failed = [r for r in replies if r.rcode() == 2]
        self.assertGreater(len(failed), 200)
        seen = dropped = 0
        while seen + dropped < 200:
            reply, _ = reader.receive()
            seen += len(reply["events"])
            dropped += reply["dropped"]
        self.assertStatus(self.ask("www.signed.org"), "NOERROR")

    def test_top(self):
        """The busiest name and client lead; the rates are about right; nobody else is listed."""
        stop = threading.Event()

        def load():
            while not stop.is_set():
                for source, count in (("192.0.2.1", 8), ("192.0.2.2", 2)):
                    for _ in range(count):
                        self.ask("www.signed.org" if source == "192.0.2.1" else "www.plain.com",
                                 source=source)
        thread = threading.Thread(target=load)
        thread.start()
        try:
            top = self.ctl.json("top", "--interval", "1s")
            text = self.ctl.text("top", "--interval", "500ms", "--rows", "1")
            child = self.watch("--json", "top", "--interval", "100ms", "--count", "3")
            out, _ = child.communicate(timeout=10)
        finally:
            stop.set()
            thread.join()
        self.assertEqual([n["name"] for n in top["names"]], ["www.signed.org.", "www.plain.com."])
        self.assertEqual([c["address"] for c in top["clients"]], ["192.0.2.1", "192.0.2.2"])
        self.assertAlmostEqual(top["names"][0]["percent"], 80, delta=10)
        self.assertAlmostEqual(sum(n["per_s"] for n in top["names"]) * top["seconds"],
                               top["questions"], delta=0.02 * top["questions"] + 1)
        self.assertGreater(top["names"][0]["hit_percent"], 90)
        self.assertRegex(text, r"questions a second over 0\.5 s, 2 names, 2 clients\n")
        self.assertIn("www.signed.org.", text)
        self.assertNotIn("www.plain.com.", text)
        self.assertEqual(len(out.splitlines()), 3)

    def test_top_flood(self):
        """Of many names few are listed, and a bounded number counted apart."""
        link = self.ctl.varlink()
        self.addCleanup(link.close)
        link.send("Top", more=True, interval_ms=1000, count=5)
        messages = [self.query(f"{i}.localhost") for i in range(6000)]
        asking = threading.Thread(target=lambda: self.ask_all(messages, 3))
        asking.start()
        self.addCleanup(asking.join)
        seen, deadline = 0, time.monotonic() + 15
        while seen < 3000 and time.monotonic() < deadline:
            reply, _ = link.receive()
            seen += reply["questions"]
            self.assertLessEqual(reply["distinct_names"], 2730)
            self.assertEqual(len(reply["names"]), min(5, reply["distinct_names"]))
        self.assertGreaterEqual(seen, 3000)


@unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
class Terminal(CliCase):
    """What refreshes in place, as a person sees it."""
    def setUp(self):
        super().setUp()
        self.tmux("kill-server")
        self.addCleanup(self.tmux, "kill-server")

    def tmux(self, *words):
        socket_path = os.path.join(self.net.dir, "tmux")
        return subprocess.run(["tmux", "-S", socket_path, "-f", "/dev/null", *words],
                              capture_output=True, text=True, check=False,
                              env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"}).stdout

    def screen(self, *words, columns=100, rows=30):
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), "sh")
        self.tmux("send-keys", " ".join([self.ctl.program, "-s", self.ctl.socket, *words]), "Enter")

    def lines(self):
        return self.seen().rstrip("\n").split("\n")

    def seen(self):
        return self.tmux("capture-pane", "-p")

    def test_stats(self):
        """Long tables are cut to the screen, the top stays where it is, and figures change."""
        self.screen("stats", "--watch", "--interval", "200ms", columns=40, rows=10)
        self.until(lambda: self.lines()[1:2] and self.lines()[1].startswith("queries_udp_total"))
        self.assertTrue(self.lines()[0].startswith("counter "))
        self.assertTrue(all(len(line) <= 40 for line in self.lines()))

        def total():
            found = [line for line in self.lines() if line.startswith("queries_udp_total")]
            return int(found[0].split()[1]) if found else -1
        before = total()
        self.ask("www.signed.org")
        self.until(lambda: total() > before >= 0)
        self.tmux("send-keys", "C-c")
        self.tmux("send-keys", "echo bye", "Enter")
        self.until(lambda: any("bye" in l and "echo" not in l for l in self.lines()))

    def test_top(self):
        self.screen("top", "--interval", "300ms")
        for _ in range(30):
            self.ask("www.signed.org")
            time.sleep(0.02)
        self.until(lambda: any("questions a second" in line for line in self.lines()[:1]))
        self.until(lambda: (self.ask("www.signed.org"),
                            any("www.signed.org." in line for line in self.lines()))[1])
        self.until(lambda: not any("www.signed.org." in line for line in self.lines()))
        self.assertIn("\x1b[1m", self.tmux("capture-pane", "-p", "-e"))
        self.tmux("send-keys", "C-c")



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
