"""A small internet in a network namespace of its own, served by NSD and Knot.

    import lab
    lab.enter_namespace()               # first thing in the program: runs it again inside
    with lab.Lab() as net:
        daemon = net.resolver({"workers": 1}).start()
        ...

Every authoritative server listens on port 53 of its own (documentation) addresses, which stand on
the loopback interface of the namespace; no packet leaves it. Nothing is kept: files are in a
temporary directory, and every process that was started is ended by its pid, whatever happens.
"""
import atexit
import contextlib
import ctypes
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from resolvers import Resolver, ask_quickly
from wire import BACKEND_PORT, Wire
from zones import SERVERS, ZONES

MARK = "RESOLVERD_LAB_PID"
DEPS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../packaging/deps.sh")
CLIENT_ADDRESSES = ["192.0.2.1", "192.0.2.2", "192.0.2.53", "198.51.100.53", "10.9.9.9",
                    "2001:db8:2::1", "2001:db8:2::53"]


def need(word):
    """End this program at once, with the names, unless all is there that packaging/deps.sh installs
    for WORD. Where that cannot be asked, whatever is missing is told when it is wanted."""
    done = subprocess.run([DEPS, "--missing", word], capture_output=True, text=True, check=False)
    if done.returncode == 0 and done.stdout:
        sys.exit(f"Missing: {', '.join(done.stdout.splitlines())}.\n"
                 f"packaging/deps.sh {word} installs what this needs.")


class Missing(RuntimeError):
    """A program that is not installed, and who installs it."""

    def __init__(self, program):
        super().__init__(f"{program} is not installed, or not in PATH; a test may only run what a row "
                         "of packaging/deps.sh has installed for its word of make")


def enter_namespace():
    """Run this program again in a new network namespace; return at once if it is in one already.
    Root needs no user namespace; everyone else gets one."""
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    if os.environ.get(MARK) != str(os.getpid()):
        for option in ["-n", "-rn"] if os.getuid() == 0 else ["-rn"]:
            tried = subprocess.run(["unshare", option, "true"], stderr=subprocess.DEVNULL, check=False)
            if tried.returncode == 0:
                os.environ[MARK] = str(os.getpid())     # unshare does not fork: the pid stays
                os.execvp("unshare", ["unshare", option, sys.executable] + sys.argv)
        sys.exit("This needs a network namespace: be root, or allow unprivileged user namespaces.")
    # From now on the program and its children may hold as many sockets as the system allows.
    import resource
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def go_first():
    """What else runs on this machine must not count as somebody's latency: real-time priority for
    this program and all that it starts. Only root may; False if not."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(5))
    except PermissionError:
        return False
    return True


def end_with_parent():
    """In a child between fork and exec: be terminated when the parent dies, however it dies."""
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def shifted_time(days):
    """"+30d" or "-1d" as a UTC time in the form that signers take."""
    return time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + int(days[:-1]) * 86400))


class Server:
    """One authoritative server. start() and stop() may be called at any time."""

    def __init__(self, lab, name, kind, addresses):
        self.lab, self.name, self.kind, self.addresses = lab, name, kind, addresses
        self.dir = os.path.join(lab.dir, name)
        self.zones = [z for z in lab.zones if name in z.servers]
        self.port = BACKEND_PORT if lab.wire else 53
        self.link = None
        self.process = None
        os.mkdir(self.dir)

    def write_config(self):
        self.config = os.path.join(self.dir, "config")
        with open(self.config, "w") as out:
            out.write(self.nsd_config() if self.kind == "nsd" else self.knot_config())

    def nsd_config(self):
        lines = [
            "server:",
            '  username: ""', '  chroot: ""', '  database: ""', '  pidfile: ""',
            f"  zonesdir: {self.lab.dir}",
            f"  xfrdfile: {self.dir}/xfrd", f"  zonelistfile: {self.dir}/zone.list",
            f"  xfrdir: {self.dir}",
            "  server-count: 1", "  rrl-ratelimit: 0", "  reuseport: no", "  verbosity: 0",
            "  tcp-count: 1000", "  tcp-timeout: 30",
        ]
        lines += [f"  ip-address: {a}@{self.port}" for a in self.addresses]
        lines += ["remote-control:", "  control-enable: no"]
        for zone in self.zones:
            lines += ["zone:", f"  name: {zone.name}", f"  zonefile: {zone.file}"]
        return "\n".join(lines) + "\n"

    def knot_config(self):
        listen = ", ".join(f"{a}@{self.port}" for a in self.addresses)
        lines = [
            "server:", f"  rundir: {self.dir}", f"  listen: [ {listen} ]", "  udp-workers: 1",
            "  tcp-workers: 1", "  background-workers: 1",
            "log:", "  - target: stderr", "    any: error",
            "database:", f"  storage: {self.dir}",
            "  journal-db-max-size: 16M", "  kasp-db-max-size: 16M", "  timer-db-max-size: 16M",
            "policy:", "  - id: manual", "    manual: on", "    algorithm: ecdsap256sha256",
            "template:", "  - id: default", "    zonefile-sync: -1", "    journal-content: none",
            "zone:",
        ]
        for zone in self.zones:
            lines += [f"  - domain: {zone.name}", f"    file: {zone.file}"]
            if zone.sign == "knot":
                lines += ["    dnssec-signing: on", "    dnssec-policy: manual"]
        return "\n".join(lines) + "\n"

    def start(self):
        if self.link and not self.link.fronts:
            self.lab.wire.open(self.link)
        if self.kind == "none" or self.process:
            return self
        command = ["nsd", "-d", "-c", self.config] if self.kind == "nsd" else \
                  ["knotd", "-c", self.config]
        self.process = self.lab.spawn(command, os.path.join(self.dir, "log"))
        return self

    def wait(self):
        """Until it serves every zone of its own."""
        for zone in self.zones if self.process else []:
            self.lab.wait_for(self.addresses[0], self.port, zone.name, self.name)
        return self

    def stop(self):
        """The process ends; on the wire its port is closed (ICMP unreachable, TCP reset)."""
        if self.link and self.link.fronts:
            self.lab.wire.close(self.link)
        if self.process:
            self.lab.end(self.process)
            self.process = None


class Lab:
    """zones, servers: as in zones.py. wired: put a Wire between, which counts, delays and drops.
    kind, build: the resolver to use unless a test says otherwise, and where resolverd was built."""

    def __init__(self, zones=None, servers=None, wired=True, delay_s=0.0, kind="resolverd",
                 build="build/release"):
        self.zones = zones or ZONES
        self.dir = tempfile.mkdtemp(prefix="resolverd-lab.")
        self.children = []
        self.resolvers = []     # all that were made
        self.wire = Wire() if wired else None
        self.delay_s = delay_s
        self.resolver_kind = kind
        self.build = os.path.abspath(build)
        self.trust_anchors = []     # DS records of the root: ". DS 12345 8 2 ABCD..."
        self.hints = os.path.join(self.dir, "root.hints")
        self.server_table = servers or SERVERS
        self.servers = {}
        atexit.register(self.close)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))

    def __enter__(self):
        self.add_addresses(CLIENT_ADDRESSES)
        for _, addresses in self.server_table.values():
            self.add_addresses(addresses)
        # What has no address here is lost, as on the Internet, and "is there a route?" is true.
        for family in "-4", "-6":
            subprocess.run(["ip", family, "route", "replace", "default", "dev", "lo"], check=True)
        for name, (kind, addresses) in self.server_table.items():
            self.servers[name] = Server(self, name, kind, addresses)
        self.make_zones()
        for server in self.servers.values():
            if self.wire:
                server.link = self.wire.add(server.name, server.addresses)
                server.link.delay_s = self.delay_s
                server.link.silent = server.kind == "none"
            server.start()
        if self.wire:
            self.wire.start()
        for server in self.servers.values():
            server.wait()
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        for child in self.children:
            if child.poll() is None:
                child.terminate()
        for child in list(self.children):
            self.end(child)
        if self.wire:
            self.wire.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
        atexit.unregister(self.close)

    # ---- processes

    def spawn(self, command, log, inherit=()):
        """Start COMMAND; its output goes to the file LOG. It ends with the lab. INHERIT: descriptors
        that it gets."""
        with open(log, "ab") as out:
            try:
                child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                                         preexec_fn=end_with_parent, cwd=self.dir,
                                         pass_fds=inherit)
            except FileNotFoundError as error:
                raise Missing(command[0]) from error
        self.children.append(child)
        return child

    def end(self, child, timeout_s=5):
        """Terminate a child; its exit status."""
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(timeout_s)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        if child in self.children:
            self.children.remove(child)
        return child.returncode

    def tool(self, *command, cwd=None):
        """Run a helper to its end; its output."""
        try:
            done = subprocess.run(command, cwd=cwd or self.dir, stdin=subprocess.DEVNULL, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        except FileNotFoundError as error:
            raise Missing(command[0]) from error
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr or done.stdout}")
        return done.stdout

    def shim(self, name):
        """What is to be preloaded, made of NAME.c, which stands beside this file."""
        path = os.path.join(self.dir, name + ".so")
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), name + ".c")
        self.tool("cc", "-O1", "-shared", "-fPIC", "-D_GNU_SOURCE", "-o", path, source, "-ldl")
        return path

    def wait_for(self, address, port, name, who, timeout_s=40):
        """Until ADDRESS answers NAME SOA with NOERROR."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            reply = ask_quickly(name, "SOA", address, port)
            if reply and reply.rcode() == 0:
                return
        log = os.path.join(self.dir, who, "log")
        said = open(log).read() if os.path.exists(log) else ""
        raise RuntimeError(f"{who} does not serve {name}: {said}")

    # ---- addresses

    def add_addresses(self, addresses):
        """Put ADDRESSES on the loopback interface and bring it up."""
        lines = ["link set lo up"]
        for address in addresses:
            lines.append(f"addr replace {address}/128 dev lo nodad" if ":" in address else
                         f"addr replace {address}/32 dev lo")
        subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)

    # ---- zones

    def make_zones(self):
        """Write and sign every zone, deepest first, so that DS records are there for the parent."""
        for name, server in self.servers.items():
            for zone in server.zones:
                zone.file = os.path.join(self.dir, f"zone-{zone.name}")
        for server in self.servers.values():
            if server.kind != "none":
                server.write_config()
        for zone in sorted(self.zones, key=lambda z: z.name.rstrip(".").count(".") + (z.name != "."),
                           reverse=True):
            plain = zone.file + ".plain" if zone.sign else zone.file
            with open(plain, "w") as out:
                out.write(self.zone_text(zone))
            if zone.sign:
                zone.signed_ds = self.sign(zone, plain)
            if zone.spoil:
                with open(zone.file) as signed:
                    text = signed.read()
                with open(zone.file, "w") as out:
                    out.write(zone.spoil(text))
        root = next(z for z in self.zones if z.name == ".")
        self.trust_anchors = [f". DS {ds}" for ds in root.signed_ds]
        with open(self.hints, "w") as out:
            out.write("\n".join(self.ns_records(root, ".")) + "\n")

    def ns_names(self, zone):
        return zone.ns or [f"ns{i + 1}.{zone.name}" for i in range(len(zone.servers))]

    def ns_records(self, zone, within):
        """The NS set of ZONE and those addresses that may stand in the zone WITHIN."""
        lines = []
        for name, server in zip(self.ns_names(zone), zone.servers):
            lines.append(f"{zone.name} 3600 NS {name}")
            if within == "." or ("." + name).endswith("." + within):
                for address in self.server_table[server][1]:
                    lines.append(f"{name} 3600 {'AAAA' if ':' in address else 'A'} {address}")
        return lines

    def children_of(self, zone):
        for child in self.zones:
            if child is not zone and child.delegate and self.parent_of(child) is zone:
                yield child

    def parent_of(self, child):
        suffixes = child.name.split(".")[1:]
        while suffixes:
            name = ".".join(suffixes) or "."
            found = [z for z in self.zones if z.name == name and z is not child]
            if found:
                return found[0]
            suffixes = suffixes[1:]
        return next(z for z in self.zones if z.name == ".")

    def zone_text(self, zone):
        lines = [f"$ORIGIN {zone.name}", f"$TTL {zone.ttl}",
                 f"@ 3600 SOA {self.ns_names(zone)[0]} hostmaster.invalid. "
                 f"1 3600 900 86400 {zone.soa_minimum}"]
        lines += self.ns_records(zone, zone.name)
        for child in self.children_of(zone):
            lines += self.ns_records(child, zone.name)
            if zone.sign:
                lines += [f"{child.name} 3600 DS {ds}" for ds in child.ds_for_parent()]
        # Two delegations may name the same server.
        return "\n".join(dict.fromkeys(lines)) + "\n" + zone.text + "\n"

    def sign(self, zone, plain):
        """Sign the zone file PLAIN into the zone's file. The DS rdata of its key-signing key."""
        if zone.sign == "knot":
            shutil.copy(plain, zone.file)
            return self.knot_keys(zone)
        start, end = (shifted_time(v) for v in zone.validity)
        keys = os.path.join(self.dir, "keys-" + zone.name)
        os.mkdir(keys)
        if zone.sign == "bind":
            for flags in [["-f", "KSK"], []]:
                self.tool("dnssec-keygen", "-q", "-a", zone.algorithm, *flags, zone.name, cwd=keys)
            if zone.rolling:
                self.roll_keys(zone, keys)
            self.tool("dnssec-signzone", "-q", "-S", "-K", keys, "-d", keys, "-o", zone.name,
                      "-s", start, "-e", end, "-O", "full", "-3", *zone.nsec3.split(),
                      "-f", zone.file, plain, cwd=keys)
            ds = self.tool("dnssec-dsfromkey", "-2", "-f", zone.file, zone.name, cwd=keys)
        else:
            size = ["-b", "2048"] if zone.algorithm.startswith("RSA") else []
            names = [self.tool("ldns-keygen", "-a", zone.algorithm, *size, *flags, zone.name,
                               cwd=keys).strip() for flags in [["-k"], []]]
            self.tool("ldns-signzone", *zone.nsec3.split(), "-i", start, "-e", end, "-o", zone.name,
                      "-f", zone.file, plain, *names, cwd=keys)
            ds = self.tool("ldns-key2ds", "-n", "-2", names[0] + ".key", cwd=keys)
        return re.findall(r"\sDS\s+(.*\S)", ds)

    def roll_keys(self, zone, keys):
        """Two more key-signing keys in the directory KEYS, the second one revoked (RFC 5011)."""
        names = {}
        for name in glob.glob(os.path.join(keys, "*.key")):
            with open(name) as key:
                if " 257 " in key.read():
                    names["active"] = name
        for which in "new", "revoked":
            names[which] = self.tool("dnssec-keygen", "-q", "-a", zone.algorithm, "-f", "KSK",
                                     zone.name, cwd=keys).strip() + ".key"
        for which, name in names.items():
            text = self.tool("dnssec-dsfromkey", "-2", name, cwd=keys)
            zone.key_ds[which] = re.search(r"\sDS\s+(.*\S)", text).group(1)
        self.tool("dnssec-revoke", "-r", names["revoked"], cwd=keys)

    def knot_keys(self, zone):
        """Knot signs by itself while it serves; only its keys are made here."""
        config = self.servers[zone.servers[0]].config
        for flag in ["ksk=yes", "zsk=yes"]:
            self.tool("keymgr", "-c", config, zone.name, "generate", "algorithm=13", flag)
        ds = self.tool("keymgr", "-c", config, zone.name, "ds")
        return re.findall(r"\sDS\s+(\d+ 13 2 .*\S)", ds)

    # ---- what tests use

    def resolver(self, config=None, kind=None, **options):
        return Resolver(self, config, kind, **options)

    def clear_queries(self):
        self.wire.queries.clear()

    def queries(self, name=None, rrtype=None, server=None):
        """Queries the servers got since clear_queries(). A minimised query counts for its name too
        (RFC 9156 asks for A): give the type where that matters."""
        return [q for q in list(self.wire.queries)
                if (name is None or q.name == name) and (rrtype is None or q.type == rrtype)
                and (server is None or q.server == server)]

    def questions(self, *which):
        """The (name, type) of those, once each: a slow server is asked again, or another beside it."""
        return {(q.name, q.type) for q in self.queries(*which)}

    def refusals(self, everyone=False):
        """What daemons have said of system calls that their sandbox refused: never a line, but of
        those (EVERYONE: too) from whom a test wants it."""
        found = []
        for resolver in self.resolvers:
            if os.path.exists(resolver.log) and (everyone or not resolver.may_be_refused):
                found += [line for line in resolver.said().splitlines() if "sandbox refused" in line]
        return found

    def links(self):
        """Names of this namespace's network interfaces."""
        return {name for _, name in socket.if_nameindex()}

    @contextlib.contextmanager
    def restored(self):
        """What is begun inside ends with it, however it ends: processes, interfaces, what stands on
        the wire. A set-up that fails half way so leaves nothing behind for the next."""
        children, links = list(self.children), self.links()
        wired = set(self.wire.links) if self.wire else set()
        try:
            yield
        except KeyboardInterrupt:
            raise               # the lab ends too
        except Exception:
            self.restore(children, links, wired)
            raise
        self.restore(children, links, wired)

    def restore(self, children, links, wired):
        """End and remove what is not among these."""
        servers = [server.process for server in self.servers.values()]
        for child in [c for c in self.children if c not in children + servers]:
            self.end(child)
        for name in set(self.wire.links) - wired if self.wire else ():
            self.wire.close(self.wire.links.pop(name))
        for name in self.links() - links:       # one of a pair takes the other with it
            subprocess.run(["ip", "link", "del", name], stderr=subprocess.DEVNULL, check=False)
        self.heal()

    def heal(self):
        """Undo what tests did to the wire and the servers."""
        for server in self.servers.values():
            server.start()
            if server.link:
                server.link.delay_s = self.delay_s
                server.link.loss = 0.0
                server.link.edit = server.link.meet = None
                server.link.one_answer = False
                server.link.silent = server.kind == "none"
        for server in self.servers.values():
            server.wait()
