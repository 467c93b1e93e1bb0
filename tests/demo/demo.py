#!/usr/bin/python3
"""resolverd resolves names through real authoritative servers, on this machine alone.

Builds a small internet in a private network namespace (tests/system/lab.py), puts resolverd in front
and asks it with dig: first cold, then warm, then over TCP. Then restarts it twice in mid-traffic, by
SIGTERM and by SIGKILL, and counts what its clients notice. Then leaves a prompt, unless --once was
given or nobody is there to type. Exits with 1 if any answer was wrong.
"""
import argparse
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import dns.message

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "system"))
import lab

ONE_WAY_S = 0.010

# What is asked; what must be in the answer; status; must it be validated?; what there is to see.
QUESTIONS = [
    ("www.plain.com", "A", ["198.18.1.1"], "NOERROR", False,
     "a plain name: the root, com. and plain.com. were asked, then nobody"),
    ("www.signed.org", "A", ["198.18.1.1"], "NOERROR", True,
     "a signed one (NSEC, ldns-signzone): 'ad' says that the chain from the root's key holds"),
    ("www.nsec3.org", "AAAA", ["2001:db8:80::1"], "NOERROR", True,
     "another (NSEC3, dnssec-signzone)"),
    ("www.knot.org", "A", ["198.18.1.1"], "NOERROR", True,
     "another, signed on the fly by Knot DNS"),
    ("db.cluster-abc.eu-west-1.rds.amazonaws.com", "A",
     ["db-instance-1.abc.eu-west-1.rds.amazonaws.com.", "10.0.1.11"], "NOERROR", False,
     "a database endpoint: CNAME and A with a TTL of 5 seconds, taken from one reply"),
    ("master.sessions.abc.euw1.cache.amazonaws.com", "A",
     ["sessions-001.sessions.abc.euw1.cache.amazonaws.com.", "10.0.1.21"], "NOERROR", False,
     "a cache endpoint of the same kind"),
    ("db.plain.com", "A",
     ["db.cluster-abc.eu-west-1.rds.amazonaws.com.",
      "db-instance-1.abc.eu-west-1.rds.amazonaws.com.", "10.0.1.11"], "NOERROR", False,
     "a chain into it from a name of one's own"),
    ("nosuch.signed.org", "A", [], "NXDOMAIN", True,
     "a name that does not exist, and the proof of it; remembered too"),
    ("www.expired.org", "A", [], "SERVFAIL", False,
     "a zone whose signatures have expired: refused, and the reply says why (EDE)"),
    ("big.big.org", "TXT", ["000", "014"], "NOERROR", False,
     "3 kB of TXT: the UDP replies say 'tc' (truncated), the whole stands in the TCP reply"),
]


class Reply:
    """What dig printed."""

    def __init__(self, address, name, rrtype, *options):
        command = ["dig", "-u", f"@{address}", "+tries=1", "+timeout=5", *options, name, rrtype]
        self.text = subprocess.run(command, capture_output=True, text=True, check=False).stdout

        def find(pattern):
            found = re.search(pattern, self.text)
            return found.group(1) if found else ""

        self.status = find(r"status: (\w+)")
        self.flags = find(r"flags: ([a-z ]*);").split()
        self.ms = int(find(r"Query time: (\d+) usec") or 0) / 1000
        self.ede = find(r"; EDE: (.*)")
        self.records = [line.split(None, 4) for line in self.text.splitlines()
                        if line and not line.startswith(";")]

    def wrong(self, wanted, status, validated):
        """What is wrong with it, or nothing. A truncated reply is right without its records."""
        data = [record[4] for record in self.records]
        if self.status != status:
            return f"status {self.status or 'none, no answer'} instead of {status}"
        if validated != ("ad" in self.flags):
            return "'ad' is missing" if validated else "'ad' on a name that is not signed"
        if status == "SERVFAIL" and not self.ede:
            return "no extended error"
        missing = [w for w in wanted if "tc" not in self.flags and not any(w in d for d in data)]
        return f"{missing[0]} is missing" if missing else None


def show(net, daemon):
    """Ask everything and print the table. The number of wrong answers."""
    print(f"{'':46} {'status':8} {'flags':5} {'cold':>9} {'asked':>5} {'warm':>9} {'TCP':>9}")
    failures = 0
    for name, rrtype, wanted, status, validated, remark in QUESTIONS:
        before = net.wire.packets
        cold = Reply(daemon.address, name, rrtype, "+ignore")
        asked = net.wire.packets - before
        warm = Reply(daemon.address, name, rrtype, "+ignore")
        tcp = Reply(daemon.address, name, rrtype, "+tcp")
        flags = " ".join(flag for flag in cold.flags if flag in ("ad", "tc")) or "-"
        print(f"{name + ' ' + rrtype:46} {cold.status:8} {flags:5} {cold.ms:6.1f} ms {asked:5} "
              f"{warm.ms:6.1f} ms {tcp.ms:6.1f} ms")
        print(f"    {remark}")
        if cold.ede:
            print(f"    EDE: {cold.ede}")
        elif len(cold.records) < 5:
            for record in cold.records:
                print("    " + " ".join(record))
        for how, reply in ("cold", cold), ("warm", warm), ("over TCP", tcp):
            problem = reply.wrong(wanted, status, validated)
            if problem:
                failures += 1
                print(f"    WRONG {how}: {problem}")
    return failures


class Traffic(threading.Thread):
    """One client after another asks, 200 times a second, and notes how long each answer took."""

    def __init__(self, address, names):
        super().__init__()
        self.address, self.names = address, names
        self.took_s, self.lost, self.over = [], 0, threading.Event()

    def run(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((self.address, 53))
            sock.settimeout(2)          # as CoreDNS waits
            for n in itertools.count():
                if self.over.is_set():
                    return
                begin = time.monotonic()
                try:
                    sock.send(dns.message.make_query(self.names[n % len(self.names)], "A").to_wire())
                    good = sock.recv(4096)[3] & 15 == 0
                except OSError:
                    good = False
                if good:
                    self.took_s.append(time.monotonic() - begin)
                else:
                    self.lost += 1
                time.sleep(0.005)


def restart(net, daemon):
    """End the daemon in mid-traffic and start it again. The number of answers that were lost."""
    names = [name for name, rrtype, wanted, status, *_ in QUESTIONS
             if rrtype == "A" and status == "NOERROR"]
    print("\nRestarted in mid-traffic; the sockets outlive it, the cache is on disk:")
    lost = 0
    for how, number in ("SIGTERM", signal.SIGTERM), ("SIGKILL", signal.SIGKILL):
        time.sleep(2.5)                 # what was learned just now is committed
        traffic = Traffic(daemon.address, names)
        traffic.start()
        time.sleep(1)
        before = net.wire.packets
        begin = time.monotonic()
        daemon.process.send_signal(number)
        daemon.process.wait()
        daemon.start()
        gone_s = time.monotonic() - begin
        time.sleep(1)
        traffic.over.set()
        traffic.join()
        if number == signal.SIGTERM:    # a kill may come between reading and answering
            lost += traffic.lost
        print(f"    {how}: {len(traffic.took_s)} answers, {traffic.lost} lost, slowest "
              f"{1000 * max(traffic.took_s):.0f} ms; answering again after {1000 * gone_s:.0f} ms; "
              f"{net.wire.packets - before} packets upstream in the second after")
    return lost


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--binary", default="build/release/resolverd")
    parser.add_argument("--once", action="store_true", help="leave no prompt")
    parser.add_argument("--resolver", default="resolverd", help="or unbound, for comparison")
    options = parser.parse_args()
    lab.enter_namespace()
    print("Starting a root, com., org., net., amazonaws.com. and what is below them, on NSD and\n"
          "Knot, in a network namespace of its own; "
          f"{2000 * ONE_WAY_S:.0f} ms there and back to each server.")
    build = os.path.dirname(os.path.abspath(options.binary))
    with lab.Lab(delay_s=ONE_WAY_S, kind=options.resolver, build=build) as net:
        daemon = net.resolver()
        if options.resolver == "resolverd":
            daemon.hold_sockets()
        daemon.start()
        print(f"Asking {options.resolver} at {daemon.address}, which has just started. "
              "'asked': packets it sent upstream.\n")
        failures = show(net, daemon)
        print(f"\n{failures} answers were wrong." if failures else
              "\nAll answers are as the zones say.")
        if options.resolver == "resolverd":
            failures += restart(net, daemon)
        if not options.once and sys.stdin.isatty() and sys.stdout.isatty():
            print("A shell inside the namespace: try `dig @127.0.0.1 pool.signed.org`, or a name of "
                  "your own below\nplain.com, wild.org, amazonaws.com; `exit` ends everything.\n")
            subprocess.run(["bash", "--norc"], env=dict(os.environ, PS1="resolverd demo> "),
                           check=False)
        status = daemon.stop()
        if status != 0:
            print(f"{options.resolver} ended with status {status}:\n{daemon.said()}")
            failures += 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
