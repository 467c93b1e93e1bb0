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
