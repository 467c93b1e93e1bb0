#!/usr/bin/python3
"""One outage as its operator sees it: metrics, upstreams, explain and trace, all for real.

Builds a small internet in a private network namespace (tests/system/lab.py) with resolverd in front.
Clients ask a few names all the time. Then one of the two servers of pair.org dies, then the other;
the operator looks; they come back. Nothing is made up: every line below a '$' is what was printed.
Exits with 1 if what the operator was told is not what happened.
"""
import argparse
import http.client
import os
import sys
import threading
import time

import dns.exception
import dns.message
import dns.query
import dns.rcode

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
import lab
from control import Ctl

METRICS_PORT = 9253
CONFIG = {
    "metrics": {"listen": [f"127.0.0.1:{METRICS_PORT}"]},
    "serve-stale": {"enabled": True, "answer-after": "500ms", "max-age": "1h"},
    "prefetch": {"enabled": False},     # or nobody would have to wait, and see this
}
TOLD = ("upstream_timeouts_total", "answers_late_total", "answers_servfail_total",
        "cache_misses_total", "upstream_udp_sent_total", "stale")


class Clients(threading.Thread):
    """Ask two names with short TTLs that are cached, and new ones, until told to stop."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.over, self.number = address, threading.Event(), 0
        self.counts = {}

    def run(self):
        while not self.over.is_set():
            self.number += 1
            for name in "ttl5.pair.org", "ttl2.pair.org", f"n{self.number % 200}.pair.org":
                threading.Thread(target=self.ask, args=(name,), daemon=True).start()
            self.over.wait(0.5)

    def ask(self, name):
        try:
            reply = dns.query.udp(dns.message.make_query(name, "A", use_edns=0), self.address, 2)
            how = "stale" if any(int(o.otype) == 15 for o in reply.options) and reply.answer \
                else dns.rcode.to_text(reply.rcode())
        except dns.exception.Timeout:
            how = "no answer"
        self.counts[how] = self.counts.get(how, 0) + 1

    def since(self):
        """What clients got since the last time."""
        counts, self.counts = self.counts, {}
        return ", ".join(f"{count} {how}" for how, count in sorted(counts.items())) or "nothing"


def say(text):
    print(f"\n# {text}", flush=True)


class Operator:
    def __init__(self, net, daemon):
        self.ctl, self.failures = Ctl(net, daemon), 0

    def run(self, *words, wanted=()):
        print(f"\n$ resolverctl {' '.join(words)}")
        done = self.ctl.run(*words)
        print((done.stdout + done.stderr).rstrip(), flush=True)
        self.check(done.stdout, wanted)

    def metrics(self, wanted=()):
        print(f"\n$ curl -s http://127.0.0.1:{METRICS_PORT}/metrics | grep -E '{'|'.join(TOLD)}'")
        link = http.client.HTTPConnection("127.0.0.1", METRICS_PORT, timeout=5)
        link.request("GET", "/metrics")
        lines = [line for line in link.getresponse().read().decode().splitlines()
                 if not line.startswith("#") and "_bucket" not in line and
                 any(word in line for word in TOLD)]
        link.close()
        print("\n".join(lines), flush=True)
        self.check("\n".join(lines), wanted)

    def check(self, text, wanted):
        for words in wanted:
            if words not in text:
                self.failures += 1
                print(f"WRONG: nothing is said of \"{words}\"")


def play(net, daemon):
    operator, clients = Operator(net, daemon), Clients(daemon.address)
    pair = [net.servers[name].link for name in ("pair-a", "pair-b")]
    clients.start()
    time.sleep(4)
    say(f"All is well. Clients got: {clients.since()}")
    operator.run("upstreams", wanted=["198.51.100.4"])
    pair[0].silent = True
    time.sleep(6)
    say("02:51  One of the two servers of pair.org has been silent for six seconds. "
        f"Clients got: {clients.since()}")
    operator.run("explain", "ttl5.pair.org", wanted=["ttl5.pair.org."])
    pair[1].silent = True
    time.sleep(12)
    say("02:58  Both are silent, for twelve seconds. The pager rings. "
        f"Clients got: {clients.since()}")
    operator.run("status", wanted=["pid"])
    operator.metrics(wanted=["upstream_timeouts_total"])
    operator.run("upstreams", wanted=["198.51.100.40:53", "198.51.100.41:53"])
    operator.run("explain", f"n{(clients.number - 5) % 200}.pair.org",
                 wanted=["198.51.100.40:53, asked for pair.org., did not answer", "SERVFAIL"])
    operator.run("explain", "ttl5.pair.org", wanted=["did not answer", "old, expired answer"])
    operator.run("trace", "new.pair.org", wanted=["did not answer within", "SERVFAIL"])
    net.heal()
    time.sleep(8)
    clients.since()
    time.sleep(3)
    after = clients.since()
    say(f"03:04  The servers are back since eleven seconds. Clients got, in the last three: {after}")
    if "SERVFAIL" in after or "no answer" in after:
        operator.failures += 1
        print("WRONG: clients still fail")
    operator.run("explain", "ttl5.pair.org", wanted=["is answered from the cache", "Recorded"])
    clients.over.set()
    clients.join()
    return operator.failures


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--binary", required=True, help="resolverd; resolverctl stands beside it")
    options = parser.parse_args()
    lab.enter_namespace()
    with lab.Lab(build=os.path.dirname(options.binary), delay_s=0.005) as net:
        daemon = net.resolver(CONFIG).start()
        failures = play(net, daemon)
        status = daemon.stop()
    if failures or status:
        sys.exit(f"outage: {failures} wrong, status {status}")


if __name__ == "__main__":
    sys.dont_write_bytecode = True
    main()
