"""What stands around the daemon in a cluster: CoreDNS with the Corefiles that are shipped, and pods."""
import os
import re
import signal
import subprocess
import time

import case
import lab
from resolvers import ask_quickly

HERE = os.path.dirname(os.path.abspath(__file__))
SHIPPED = os.path.join(HERE, "..", "..", "packaging", "kubernetes")
SEARCH = ["default.svc.cluster.local", "svc.cluster.local", "cluster.local",
          "eu-west-1.compute.internal"]
CLUSTER_ZONE = """$ORIGIN cluster.local.
@ 30 SOA ns.dns hostmaster 1 7200 1800 86400 30
@ 30 NS ns.dns
ns.dns 30 A 10.96.0.10
kubernetes.default.svc 30 A 10.96.0.1
"""


def built(program):
    """The path of what tests/kubernetes/build makes."""
    return os.path.join(os.path.dirname(case.NET.build), "kubernetes", program)


class CoreDNS:
    """One CoreDNS on ADDRESS, by the shipped COREFILE. FORWARD, CACHE: lines that are
    added to those blocks; TO: the addresses to forward to. The cluster's zone is
    a file, as there is no API server here. NAMESERVER is what its /etc/resolv.conf names."""

    def __init__(self, net, address, corefile="Corefile", forward=(), cache=(), to=None,
                 nameserver="192.0.2.99"):
        self.net, self.address = net, address
        self.dir = os.path.join(net.dir, "coredns-" + address)
        os.makedirs(self.dir, exist_ok=True)
        self.log = os.path.join(self.dir, "log")
        net.add_addresses([address])
        zone = os.path.join(self.dir, "cluster.local")
        with open(zone, "w") as out:
            out.write(CLUSTER_ZONE)
        with open(os.path.join(SHIPPED, corefile)) as shipped:
            text = shipped.read()
        # Its own address instead of a pod's network namespace.
        text = re.sub(r"^(\S+:53) \{$", rf"\1 {{\n\tbind {address}", text, flags=re.M)
        text = text.replace("\thealth {", f"\thealth {address}:8080 {{")
        text = re.sub(r"^\tready$", f"\tready {address}:8181", text, flags=re.M)
        text = text.replace("prometheus :9153", f"prometheus {address}:9153")
        text, count = re.subn(r"^\tkubernetes (.*\n)*?\t\}\n", f"\tfile {zone} cluster.local\n", text,
                              flags=re.M)
        assert count == 1
        for line, before in [(line, "max_fails 2") for line in forward] + \
                            [(line, "servfail 1s") for line in cache]:
            assert before in text
            text = text.replace(before, f"{line}\n\t\t{before}")
        if to:
            text = text.replace("10.0.1.10 10.0.2.10", " ".join(to))
        self.file = os.path.join(self.dir, "Corefile")
        with open(self.file, "w") as out:
            out.write(text)
        self.command = in_pod(os.path.join(self.dir, "etc"), f"nameserver {nameserver}\n",
                              [built("coredns"), "-conf", self.file])
        self.process = None

    def start(self):
        self.process = self.net.spawn(self.command, self.log)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            if ask_quickly("kubernetes.default.svc.cluster.local", "A", self.address, 53):
                return self
        raise RuntimeError(f"CoreDNS does not answer: {self.said()}")

    def stop(self):
        self.net.end(self.process)

    def said(self):
        with open(self.log, errors="replace") as log:
            return log.read()


def resolv_conf(server, options="ndots:5", search=SEARCH):
    """As the kubelet writes it."""
    return f"search {' '.join(search)}\nnameserver {server}\noptions {options}\n"


def in_pod(directory, text, command):
    """COMMAND, with TEXT as its /etc/resolv.conf, and a name service switch that knows only DNS."""
    os.makedirs(directory, exist_ok=True)
    mounts = []
    for path, content in ("/etc/resolv.conf", text), ("/etc/nsswitch.conf", "hosts: dns\n"), \
                         ("/etc/hosts", "127.0.0.1 localhost\n"):
        own = os.path.join(directory, os.path.basename(path))
        with open(own, "w") as out:
            out.write(content)
        if os.path.exists(path):
            mounts.append(f'mount --bind "{own}" {path}')
    # A cache of the machine's own must not answer instead.
    mounts.append("{ [ ! -d /run/nscd ] || mount -t tmpfs none /run/nscd; }")
    return ["unshare", "-m", "sh", "-c", " && ".join(mounts) + ' && exec "$@"', "sh", *command]


class Pod:
    """Looks up LINES (see pod.c) at RATE a second."""

    def __init__(self, net, name, text, lines, rate, program="pod"):
        self.net, self.name = net, name
        self.dir = os.path.join(net.dir, "pod-" + name)
        os.makedirs(self.dir, exist_ok=True)
        file = os.path.join(self.dir, "names")
        with open(file, "w") as out:
            out.writelines(line + "\n" for line in lines)
        self.command = in_pod(self.dir, text, [built(program), str(rate), file])
        self.log = os.path.join(self.dir, "log")

    def start(self):
        open(self.log, "w").close()
        self.process = self.net.spawn(self.command, self.log)

    def end(self):
        """What it has to tell: figures, and a line for each failure."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.net.end(self.process)
        with open(self.log) as log:
            lines = log.read().splitlines()
        if not lines or not lines[-1].startswith("asked="):
            raise AssertionError(f"pod {self.name}: {lines[-5:]}")
        figures = {key: int(value) for key, value in
                   (pair.split("=") for pair in lines[-1].split())}
        return figures, [f"pod {self.name}: {line}" for line in lines if line.startswith("fail")]


def run_in_pod(net, name, text, command, timeout_s=30):
    """Run COMMAND in a pod to its end: the CompletedProcess."""
    return subprocess.run(in_pod(os.path.join(net.dir, "pod-" + name), text, command), text=True,
                          capture_output=True, timeout=timeout_s, check=False, cwd=net.dir,
                          preexec_fn=lab.end_with_parent)
