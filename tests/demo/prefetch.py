#!/usr/bin/python3
"""Two resolverd side by side, one with and one without prefetch, asked for a database's name.

The name has a TTL of 5 seconds, as managed services have. A small internet in a private network
namespace (tests/system/lab.py) first works as it should, then loses packets and answers late, then not
at all; then the database has moved. Each line is a moment at which both were asked at once. Exits with
1 if the one with prefetch ever failed or missed the move.
"""
import argparse
import concurrent.futures
import json
import math
import os
import subprocess
import sys
import time

import demo     # finds the lab
import lab

NAME = "db.cluster-abc.eu-west-1.rds.amazonaws.com"
OLD, NEW = "10.0.1.11", "10.0.9.99"
PATIENCE_S = 2          # CoreDNS's
SLOW_MS = 5
BAR = 20
RULE = {"name": "amazonaws.com.", "min-hits": 1, "remaining": "80%", "hold": "30s"}
SIDES = {"without prefetch": {"prefetch": {"enabled": False}},
         "with prefetch": {"prefetch": {"zones": [RULE]}}}


def all_is_well(links):
    for link in links:
        link.delay_s, link.loss, link.late, link.silent = demo.ONE_WAY_S, 0, 0, False


def bad_weather(links):
    for link in links:
        link.loss, link.late = 0.05, 0.3


def outage(links):
    for link in links:
        link.silent = True


def moved(links):
    for link in links:
        link.edit = lambda reply: reply.replace(bytes(map(int, OLD.split("."))),
                                                bytes(map(int, NEW.split("."))))


# What happens, how long it lasts (and with --fast), what to say of it.
ACTS = [
    (all_is_well, 25, 6, f"The name's servers are {2000 * demo.ONE_WAY_S:.0f} ms away, and well."),
    (bad_weather, 40, 7, "They lose a packet in ten, and three replies in ten take 6 seconds more."),
    (outage, 20, 5, "They are silent."),
    (all_is_well, 15, 3, "They are back."),
    (moved, 20, 7, f"The database moves from {OLD} to {NEW}."),
]


class Side:
    """One resolver and what it did."""

    def __init__(self, title, daemon):
        self.title, self.daemon = title, daemon
        self.taken_ms, self.failed, self.moved_s = [], 0, None

    def ask(self, act_began):
        reply = demo.Reply(self.daemon.address, NAME, "A", f"+timeout={PATIENCE_S}")
        data = [record[4] for record in reply.records]
        failed = OLD not in data and NEW not in data
        self.failed += failed
        self.taken_ms.append(1000 * PATIENCE_S if not reply.status else reply.ms)
        if NEW in data and self.moved_s is None:
            self.moved_s = time.monotonic() - act_began
        return self.cell(failed, reply)

    def cell(self, failed, reply):
        ms = self.taken_ms[-1]
        length = 1 + (BAR - 1) * math.log10(max(ms, 0.1) / 0.1) / math.log10(PATIENCE_S * 10000)
        note = "FAILED" if failed else "stale" if reply.ede.startswith("3 ") else ""
        text = f"{ms:8.1f} ms {'#' * round(length):{BAR}} {note:6}"
        colour = 31 if failed or ms > 1000 else 33 if ms > SLOW_MS else 32
        return f"\033[{colour}m{text}\033[m" if sys.stdout.isatty() else text

    def upstream_packets(self, build):
        said = subprocess.run([f"{build}/resolverctl", "-s", f"{self.daemon.dir}/control.sock",
                               "stats", "--json"], capture_output=True, text=True, check=True)
        counters = json.loads(said.stdout)["counters"]
        return sum(counters[f"upstream_{how}_sent_total"] for how in ("udp", "tcp"))


def play(net, sides, fast):
    links = [link for name, link in net.wire.links.items() if name.startswith("aws")]
    began, pause_s = time.monotonic(), 0.5 if fast else 1
    print(f"{'':6} " + " ".join(f"{side.title:<{BAR + 19}}" for side in sides))
    with concurrent.futures.ThreadPoolExecutor(len(sides)) as pool:
        for act, long_s, short_s, what in ACTS:
            print(f"\n{what}\n")
            act(links)
            act_began = time.monotonic()
            end = act_began + (short_s if fast else long_s)
            while time.monotonic() < end:
                next_at = time.monotonic() + pause_s
                cells = list(pool.map(lambda side: side.ask(act_began), sides))
                print(f"{time.monotonic() - began:4.0f} s " + " ".join(cells), flush=True)
                time.sleep(max(0, next_at - time.monotonic()))


def sum_up(sides, build):
    def line(what, value):
        print(f"{what:34}" + "".join(f"{value(side):>20}" for side in sides))
    print()
    line("", lambda side: side.title)
    line("questions", lambda side: len(side.taken_ms))
    line(f"that waited over {SLOW_MS} ms", lambda side: sum(ms > SLOW_MS for ms in side.taken_ms))
    line("longest, the first left out", lambda side: f"{max(side.taken_ms[1:]):.1f} ms")
    line("failed", lambda side: side.failed)
    line("the move was seen after", lambda side: f"{side.moved_s:.1f} s" if side.moved_s else "never")
    line("packets sent upstream", lambda side: side.upstream_packets(build))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="build/release/resolverd")
    parser.add_argument("--fast", action="store_true", help="half a minute instead of two")
    options = parser.parse_args()
    lab.enter_namespace()
    lab.go_first()
    build = os.path.dirname(os.path.abspath(options.binary))
    seconds = sum(act[2 if options.fast else 1] for act in ACTS)
    print(f"Two resolverd are asked for {NAME}, TTL 5,\nat the same moments for {seconds} seconds. "
          "Bars are logarithmic: 0.1 ms to 2 s. 'stale': an expired answer,\nserved while its servers "
          "do not answer. Nothing leaves this machine.\n")
    with lab.Lab(delay_s=demo.ONE_WAY_S, build=build) as net:
        sides = [Side(title, net.resolver(config, address=f"127.0.0.{i + 1}").start())
                 for i, (title, config) in enumerate(SIDES.items())]
        play(net, sides, options.fast)
        sum_up(sides, build)
        for side in sides:
            side.daemon.stop()
    hot = sides[-1]
    if hot.failed or hot.moved_s is None:
        print("\nPrefetch has not done what it is for.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
