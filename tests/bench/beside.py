"""Resolvers measured beside each other, each in a network namespace and a process of its own."""
import json
import os
import signal
import subprocess
import sys

import lab
import peers

MARK = "RESOLVERD_BESIDE_INSIDE"


class Process:
    """A child, ended by its own number."""

    def __init__(self, command, **options):
        self.child = subprocess.Popen(command, preexec_fn=lab.end_with_parent, **options)

    def __enter__(self):
        return self.child

    def __exit__(self, *unused):
        self.child.terminate()
        try:
            self.child.wait(10)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Upstream(Process):
    """flaky.c; says what came, what it dropped, and the questions for each group of names."""

    def __init__(self, build, *arguments):
        super().__init__([f"{build}/tests/bench/flaky", *arguments], stdout=subprocess.PIPE,
                         text=True)
        self.child.stdout.readline()

    def __enter__(self):
        return self

    def counts(self):
        self.child.send_signal(signal.SIGUSR1)
        return [int(word) for word in self.child.stdout.readline().split()]


def add_addresses():
    """Those of the upstreams, on this namespace's loopback."""
    for address in [*peers.AUTHORITY, peers.PROVIDER]:
        subprocess.run(["ip", "addr", "add", f"{address}/32", "dev", "lo"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "route", "add", "default", "dev", "lo"], check=True)


def measure_outside(kind, part):
    """Run this program again in a namespace of its own, where inside() says what to measure; a
    thread waits for what it prints, which is JSON."""
    command = ["unshare", "-n", sys.executable, *sys.argv]
    done = subprocess.run(command, capture_output=True, text=True, check=False,
                          env={**os.environ, MARK: f"{kind} {part}"})
    if done.returncode:
        print(f"{kind}, {part}: {done.stderr.strip()[-2000:]}", file=sys.stderr)
        return None
    return json.loads(done.stdout)


def inside():
    """The kind and part to measure here, or None outside."""
    mark = os.environ.get(MARK)
    return mark.split() if mark else None
