"""The resolver under test, or a peer in its place: configuration, start, stop, CPU and memory."""
import fcntl
import glob
import os
import signal
import socket
import subprocess
import time

import dns.exception
import dns.message
import programs
import yaml
from zones import NETWORKS


def ask_quickly(name, rrtype, address, port):
    """The reply to one question, or None at once if nobody is there yet."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(0.1)
        try:
            sock.connect((address, port))       # so that a closed port is told
            sock.send(dns.message.make_query(name, rrtype).to_wire())
            return dns.message.from_wire(sock.recv(4096))
        except (OSError, dns.exception.DNSException):
            time.sleep(0.005)
            return None


class Resolver:
    """One resolver process in the lab: resolverd, or what a programs.Program is named. Nothing runs
    before start()."""

    def __init__(self, lab, config=None, kind=None, address="127.0.0.1", threads=1, dnssec=True,
                 cache="64M", port=53, extra=(), wrapper=()):
        self.lab = lab
        self.kind = kind or lab.resolver_kind
        self.address = address
        self.threads, self.dnssec, self.cache = threads, dnssec, cache
        self.port, self.extra = port, extra     # extra: lines for a peer, as it has them
        self.wrapper = list(wrapper)            # command before the command, as taskset
        self.program = None if self.kind == "resolverd" else programs.Program(self.kind)
        self.process = None
        self.may_be_refused = False     # system calls, as a test wants to see that
        self.held, self.held_names = [], None   # sockets that outlive it
        lab.resolvers.append(self)
        self.dir = os.path.join(lab.dir, f"{self.kind}-{len(lab.resolvers)}")
        os.mkdir(self.dir)
        self.log = os.path.join(self.dir, "log")
        self.file = os.path.join(self.dir, "config")
        self.configure(config)

    def configure(self, config=None):
        """Write the configuration; CONFIG (a dict) goes over resolverd's own."""
        kind = self.program.kind if self.program else self.kind
        text, command = getattr(self, "setup_" + kind)(config or {})
        self.command = self.wrapper + (self.program.run(*command) if self.program else command)
        with open(self.file, "w") as out:
            out.write(text)

    # ---- life

    def start(self, wait=True):
        command, inherit = self.with_held()
        try:
            self.process = self.lab.spawn(command, self.log, inherit)
        finally:
            for fd in inherit:
                os.close(fd)
        if wait:
            self.wait()
        return self

    def wait(self, timeout_s=20):
        """Until it answers at all."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and self.process.poll() is None:
            if ask_quickly("localhost.", "A", self.address, self.port) is not None:
                return
        raise RuntimeError(f"{self.kind} does not answer: {self.said()[-2000:]}")

    def pass_on(self, sockets, names=None):
        """Be started with SOCKETS as a service manager passes them on (sd_listen_fds(3))."""
        self.held, self.held_names = list(sockets), names

    def with_held(self):
        """The command that starts it so, and the descriptors that it needs for that."""
        if not self.held:
            return self.command, []
        # High ones, so that moving one does not take the place of the next.
        inherit = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 500) for s in self.held]
        words = [f"exec {3 + i}<&{fd} {fd}<&-" for i, fd in enumerate(inherit)]
        words.append(f"export LISTEN_PID=$$ LISTEN_FDS={len(self.held)}")
        if self.held_names:
            words.append("export LISTEN_FDNAMES=" + ":".join(self.held_names))
        words.append('exec "$@"')
        return ["bash", "-c", "; ".join(words), "bash", *self.command], inherit

    def hold_sockets(self):
        """Have its sockets outlive it: what is asked while it does not run waits there."""
        sockets = []
        for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
            sock = socket.socket(socket.AF_INET, kind)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self.address, self.port))
            sockets.append(sock)
        sockets[1].listen(100)
        self.pass_on(sockets)

    def stop(self, timeout_s=5):
        """SIGTERM; the exit status (negative: ended by a signal)."""
        status = self.lab.end(self.process, timeout_s)
        self.process = None
        return status

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def run(self, *options, timeout_s=10):
        """Run the program to its end, as for --check: the CompletedProcess."""
        return subprocess.run([self.binary, *options], capture_output=True, text=True,
                              timeout=timeout_s, cwd=self.lab.dir, check=False)

    def said(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    # ---- what it costs

    def cpu_ns(self):
        """CPU time of all its threads so far."""
        total = 0
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/schedstat"):
            with open(path) as stat:
                total += int(stat.read().split()[0])
        return total

    def rss_bytes(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        return 0

    # ---- configurations, each with the command; a peer's without its program

    def setup_resolverd(self, config):
        own = {
            "listen": [f"{self.address}:53"],
            "workers": self.threads,
            "access": {"allow": ["loopback", "private", "192.0.2.0/24", "2001:db8:2::/64"]},
            "control": {"socket": os.path.join(self.dir, "control.sock")},
            "cache": {"memory": self.cache},
            "root-hints": self.lab.hints,
            "dnssec": {"enabled": self.dnssec, "trust-anchors": self.lab.trust_anchors},
            "log": {"level": "info"},
        }
        own.update(config)
        own["resolution"] = {"do-query": NETWORKS, **(config.get("resolution") or {})}
        # Never the system's own cache, nor that of another daemon.
        own["cache"] = {"path": os.path.join(self.dir, "cache"), "disk": "16M", **own["cache"]}
        own = {key: value for key, value in own.items() if value is not None}
        os.makedirs(os.path.join(self.dir, "cache"), exist_ok=True)
        self.binary = os.path.join(self.lab.build, "resolverd")
        return (yaml.safe_dump(own, sort_keys=False),
                [self.binary, "--config", self.file, "--foreground"])

    def setup_unbound(self, _):
        lines = [
            "server:", '  username: ""', '  chroot: ""', '  pidfile: ""', f"  directory: {self.dir}",
            "  use-syslog: no", "  verbosity: 0", f"  interface: {self.address}@{self.port}",
            "  access-control: 0.0.0.0/0 allow", "  access-control: ::/0 allow",
            f"  num-threads: {self.threads}", f"  root-hints: {self.lab.hints}",
            f'  module-config: "{"validator " if self.dnssec else ""}iterator"',
            "  do-not-query-localhost: no", "  so-reuseport: yes", "  ede: yes",
            f"  msg-cache-size: {self.cache}", f"  rrset-cache-size: {self.cache}",
            f"  key-cache-size: 16m", "  incoming-num-tcp: 4000", "  outgoing-range: 8192",
            "  num-queries-per-thread: 4096", "  edns-buffer-size: 1232",
        ]
        if self.dnssec:
            lines += [f'  trust-anchor: "{ds}"' for ds in self.lab.trust_anchors]
        lines += ["  " + line for line in self.extra]
        lines += ["remote-control:", "  control-enable: no"]
        return "\n".join(lines) + "\n", ["-d", "-c", self.file]

    def setup_pdns(self, _):
        with open(os.path.join(self.dir, "trust.lua"), "w") as out:
            out.write("clearTA()\n")
            for anchor in self.lab.trust_anchors if self.dnssec else []:
                out.write(f'addTA(".", "{anchor.split(None, 2)[2]}")\n')
        with open(os.path.join(self.dir, "recursor.conf"), "w") as out:
            out.write("\n".join([
                f"local-address={self.address}", "local-port=53", "allow-from=0.0.0.0/0",
                f"threads={self.threads}", "pdns-distributes-queries=no", "reuseport=yes",
                f"hint-file={self.lab.hints}", f"dnssec={'validate' if self.dnssec else 'off'}",
                f"lua-config-file={self.dir}/trust.lua", f"socket-dir={self.dir}", "daemon=no",
                "write-pid=no", "dont-query=", "security-poll-suffix=", "quiet=yes", "loglevel=3",
                "disable-syslog=yes", "max-tcp-per-client=0", "max-tcp-clients=4000",
                "max-cache-entries=1000000", "max-packetcache-entries=500000",
                "max-concurrent-requests-per-tcp-connection=100", "client-tcp-timeout=30",
                "edns-outgoing-bufsize=1232", "udp-truncation-threshold=1232",
                "structured-logging=no"]) + "\n")
        return "", [f"--config-dir={self.dir}"]

    def setup_bind(self, _):
        anchors = "".join(f'  "." static-ds {ds[0]} {ds[1]} {ds[2]} "{ds[3]}";\n' for ds in
                          (anchor.split(None, 2)[2].split() for anchor in self.lab.trust_anchors))
        return f"""
options {{
    directory "{self.dir}"; pid-file none; session-keyfile none; listen-on {{ {self.address}; }};
    listen-on-v6 {{ none; }}; allow-query {{ any; }}; allow-recursion {{ any; }};
    recursive-clients 10000; tcp-clients 4000; max-cache-size {self.cache}; empty-zones-enable no;
    dnssec-validation {"yes" if self.dnssec else "no"}; edns-udp-size 1232; max-udp-size 1232;
    minimal-responses yes; {" ".join(self.extra)}
}};
zone "." {{ type hint; file "{self.lab.hints}"; }};
trust-anchors {{
{anchors}}};
controls {{ }};
""", ["-f", "-n", str(self.threads), "-c", self.file, "-L", self.log]

    def setup_kresd(self, _):
        anchors = "".join(f"trust_anchors.add('{a}')\n" for a in self.lab.trust_anchors)
        if not self.dnssec:
            anchors = "trust_anchors.remove('.')\n"
        return f"""
net.listen('{self.address}', 53, {{ kind = 'dns' }})
net.ipv6 = true
cache.open(512 * MB, 'lmdb://{self.dir}')
modules = {{ 'hints > iterate' }}
hints.root_file('{self.lab.hints}')
trust_anchors.remove('.')
{anchors}
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('ta_update')
modules.unload('ta_sentinel')
{chr(10).join(self.extra)}
""", ["-n", "-c", self.file, self.dir]
