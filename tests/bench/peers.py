"""Resolvers beside each other behind the same bad upstream: how each is set up at its best for names
with a TTL of five seconds. Each runs in a network namespace of its own, with one server thread.
With "-13" behind its name it is Debian 13's, else this machine's."""
import json
import os

import programs

ADDRESS = "127.0.0.1"
AUTHORITY = ["198.51.100.1", "198.51.100.2"]    # loopback's would be refused by some
PROVIDER = "198.51.100.53"
REGION = "eu-west-1.compute.internal."
PRIVATE = "corp.internal."
HINTS = "".join(f". 86400 IN NS a{i}.ns.\na{i}.ns. 86400 IN A {address}\n"
                for i, address in enumerate(AUTHORITY))


class Setup:
    """What is asked of a resolver: where its files go, and whether it forwards to the provider."""

    def __init__(self, directory, build, forward=False, lead="auto", workers=1, prefetch=True,
                 cache=None):
        self.directory, self.build = directory, build
        self.forward, self.lead, self.workers, self.prefetch = forward, lead, workers, prefetch
        self.cache = cache or {}        # over resolverd's own
        self.zones = [REGION, PRIVATE] if forward else []
        self.write("hints", HINTS)

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w") as out:
            out.write(text)
        return path


def resolverd(setup):
    forward = [{"name": REGION, "servers": [PROVIDER], "rate-limit": 900, "only": ["ip-*", "i-*"],
                "insecure": True},
               {"name": PRIVATE, "servers": [PROVIDER], "rate-limit": 900, "insecure": True}]
    config = {
        "listen": [f"{ADDRESS}:53"], "workers": setup.workers,
        "root-hints": f"{setup.directory}/hints", "dnssec": {"enabled": False},
        "prefetch": {"enabled": setup.prefetch, "max-rate": 5000, "zones": [
            {"name": "hot.com.", "min-hits": 1, "min-yield": 0, "remaining": setup.lead,
             "hold": "30s"}]},
        "forward-zones": forward if setup.forward else [],
        "cache": {"path": f"{setup.directory}/state", **setup.cache},
        "control": {"socket": f"{setup.directory}/control"}, "resolution": {"ipv6": False, "do-query": ["0.0.0.0/0"]},
        "access": {"allow": ["any"]}, "log": {"level": "warning"}}
    os.makedirs(f"{setup.directory}/state", exist_ok=True)
    file = setup.write("resolverd.yaml", json.dumps(config))    # JSON is YAML
    return [f"{setup.build}/resolverd", "--foreground", "--config", file]


def unbound(setup, *lines):
    lines = ["server:", f"interface: {ADDRESS}", "do-daemonize: no", "use-syslog: no",
             "verbosity: 0", 'username: ""', 'chroot: ""', f"directory: {setup.directory}",
             'pidfile: ""', f"root-hints: {setup.directory}/hints", "module-config: iterator",
             "do-ip6: no", "access-control: 0.0.0.0/0 allow", "num-threads: 1",
             "outgoing-range: 8192", "num-queries-per-thread: 4096", "prefetch: yes", *lines,
             "remote-control:", "control-enable: no"]
    for zone in setup.zones:
        lines += ["forward-zone:", f"name: {zone}", f"forward-addr: {PROVIDER}"]
    return ["-d", "-c", setup.write("unbound.conf", "\n".join(lines) + "\n")]


def unbound_stale(setup, wait_ms):
    return unbound(setup, "serve-expired: yes", "serve-expired-ttl: 86400",
                   "serve-expired-reply-ttl: 5", f"serve-expired-client-timeout: {wait_ms}")


def kresd(setup):
    forward = "".join(f"policy.add(policy.suffix(policy.STUB('{PROVIDER}'), "
                      f"policy.todnames({{'{zone}'}})))\n" for zone in setup.zones)
    return ["-n", "-c", setup.write("kresd.conf", f"""
net.listen('{ADDRESS}', 53, {{ kind = 'dns' }})
net.ipv6 = false
cache.open(64 * MB, 'lmdb://{setup.directory}')
modules = {{ 'hints > iterate', 'policy', 'predict', 'serve_stale < cache' }}
predict.config({{ window = 15, period = 0 }})
hints.root_file('{setup.directory}/hints')
trust_anchors.remove('.')
modules.unload('ta_signal_query')
modules.unload('priming')
modules.unload('ta_update')
modules.unload('ta_sentinel')
{forward}"""), setup.directory]


def pdns(setup):
    setup.write("trust.lua", "clearTA()\n")
    forward = ",".join(f"{zone}={PROVIDER}" for zone in setup.zones)
    setup.write("recursor.conf", "\n".join([
        f"local-address={ADDRESS}", "local-port=53", "allow-from=0.0.0.0/0", "threads=1",
        "pdns-distributes-queries=no", f"hint-file={setup.directory}/hints", "dnssec=off",
        f"lua-config-file={setup.directory}/trust.lua", f"socket-dir={setup.directory}",
        "daemon=no", "write-pid=no", "dont-query=", "security-poll-suffix=", "quiet=yes",
        "loglevel=3", "disable-syslog=yes", "structured-logging=no", "refresh-on-ttl-perc=80",
        "serve-stale-extensions=120", "network-timeout=50", f"forward-zones={forward}"]) + "\n")
    return [f"--config-dir={setup.directory}"]


def bind(setup):
    forward = "".join(f'zone "{zone}" {{ type forward; forward only; forwarders {{ {PROVIDER}; }}; }};\n'
                      for zone in setup.zones)
    return ["-f", "-n", "1", "-L", f"{setup.directory}/named.log", "-c",
            setup.write("named.conf", f"""
options {{
    directory "{setup.directory}"; pid-file none; session-keyfile none;
    listen-on {{ {ADDRESS}; }}; listen-on-v6 {{ none; }}; allow-query {{ any; }};
    recursive-clients 10000; empty-zones-enable no; dnssec-validation no; minimal-responses yes;
    prefetch 10 16; stale-cache-enable yes; stale-answer-enable yes;
    stale-answer-client-timeout 0; stale-answer-ttl 5; max-stale-ttl 86400; stale-refresh-time 0;
}};
zone "." {{ type hint; file "{setup.directory}/hints"; }};
{forward}controls {{ }};
""")]


# What to call it, the kind of program that it is, the options of its command.
KINDS = {
    "resolverd": (None, resolverd),
    "unbound-prefetch": ("unbound", unbound),
    "unbound-stale": ("unbound", lambda s: unbound_stale(s, 0)),
    "unbound-stale-1800": ("unbound", lambda s: unbound_stale(s, 1800)),
    "kresd": ("kresd", kresd),
    "pdns": ("pdns", pdns),
    "bind": ("bind", bind),
}
SUFFIX = f"-{programs.RELEASE}"


def kind(name):
    return name.removesuffix(SUFFIX)


def program(name):
    """The programs.Program that NAME is; None for resolverd."""
    what = KINDS[kind(name)][0]
    return programs.Program(what + name[len(kind(name)):]) if what else None


def names(only=None, kinds=tuple(KINDS)):
    """Of those that are here, all of KINDS; ONLY some if given."""
    there = list(programs.names())
    for each in kinds:
        for name in each, each + SUFFIX:
            if (program(name).name in there if KINDS[each][0] else name == each) and \
                    name in (only or [name]):
                yield name


def title(name):
    """NAME with the version: "unbound-stale 1.26.2"."""
    return f"{kind(name)} {program(name).version}" if program(name) else name


def command(name, setup):
    words = KINDS[kind(name)][1](setup)
    return program(name).run(*words) if program(name) else words
