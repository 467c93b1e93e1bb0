"""systemd-resolved, which validates (DNSSEC=yes) what a resolver in the lab tells it, and nothing else.

    resolved.prepare("build/release")           # before lab.enter_namespace(): wants a network
    with resolved.Resolved(lab, "127.0.0.1") as behind:
        ...                                     # asked at behind.address

Installed, it would take over this machine's /etc/resolv.conf. So its packages are unpacked below build/,
where this machine has none of its own, and it gets its own /etc and /run in a mount namespace.
"""
import glob
import os
import re
import shutil
import subprocess
import time

from resolvers import ask_quickly

PROGRAMS = ["usr/lib/systemd/systemd-resolved", "lib/systemd/systemd-resolved"]
PACKAGES = ["systemd-resolved", "libsystemd-shared"]        # of one version
HASTE = ["-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=5", "-o", "Acquire::https::Timeout=5"]
INTERFACE = "behind0"       # without one that leads somewhere it takes the network to be down
MISSING = "neither is systemd-resolved installed, nor can its packages be fetched (apt-get download)"

# Its /etc and /run stand in $1; what follows is the command.
ENTER = 'mount --bind "$1/etc" /etc && mount --bind "$1/run" /run && shift && exec "$@"'

CONFIG = """[Resolve]
DNS={upstream}
FallbackDNS=
DNSSEC=yes
DNSOverTLS=no
LLMNR=no
MulticastDNS=no
"""


def directory(build):
    return os.path.join(os.path.dirname(os.path.abspath(build)), "systemd-resolved")


def command(build):
    """What runs it, or None."""
    unpacked = directory(build)
    for root in ["/", unpacked] if os.path.exists(os.path.join(unpacked, "complete")) else ["/"]:
        for program in (os.path.join(root, name) for name in PROGRAMS):
            if os.path.exists(program):
                return [program] if root == "/" else ["env", f"LD_LIBRARY_PATH={libraries(root)}", program]
    return None


def libraries(root):
    """Where below ROOT there are some."""
    return ":".join(sorted({os.path.dirname(path) for path in
                            glob.glob(f"{root}/**/lib*.so*", recursive=True)}))


def prepare(build):
    """Have it, unless it is there. Where its packages cannot be fetched, the test that wants it says so."""
    if command(build):
        return
    where = directory(build)
    try:
        fetch(where)
    except (OSError, subprocess.SubprocessError):
        if os.getuid() != 0:
            return
        try:        # what apt knows may be too old
            run("apt-get", *HASTE, "update")
            fetch(where)
        except (OSError, subprocess.SubprocessError):
            return
    with open(os.path.join(where, "complete"), "w"):
        pass


def fetch(where):
    """Unpack into the directory WHERE what apt would install for it here, and those libraries anyway:
    the machine's own may become newer."""
    shutil.rmtree(where, ignore_errors=True)
    os.makedirs(where)
    said = run("apt-get", "-s", "--no-install-recommends", "install", PACKAGES[0])
    wanted = dict.fromkeys(PACKAGES + re.findall(r"(?m)^Inst (\S+)", said))
    run("apt-get", *HASTE, "download", *wanted, cwd=where)
    for package in glob.glob(where + "/*.deb"):
        run("dpkg-deb", "-x", package, where)
        os.unlink(package)


def run(*words, **where):
    return subprocess.run(words, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, timeout=120, check=True, **where).stdout


class Resolved:
    """One that asks UPSTREAM."""
    address = "127.0.0.53"      # of its stub listener; always

    def __init__(self, lab, upstream):
        self.lab = lab
        self.dir = os.path.join(lab.dir, "resolved")
        self.log = os.path.join(self.dir, "log")
        shutil.rmtree(self.dir, ignore_errors=True)
        for name in "etc/systemd", "etc/dnssec-trust-anchors.d", "run/systemd":
            os.makedirs(os.path.join(self.dir, name))
        self.write("etc/systemd/resolved.conf", CONFIG.format(upstream=upstream))
        self.write("etc/dnssec-trust-anchors.d/lab.positive", "".join(
            anchor.replace(" DS ", " IN DS ") + "\n" for anchor in lab.trust_anchors))
        # It becomes this user, who in a user namespace can be no other than root.
        self.write("etc/passwd", "root:x:0:0::/:/bin/sh\nsystemd-resolve:x:0:0::/:/bin/sh\n")
        self.write("etc/group", "root:x:0:\nsystemd-resolve:x:0:\n")
        self.command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh",
                        self.dir, *command(lab.build)]

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as out:
            out.write(text)

    def __enter__(self):
        subprocess.run(["ip", "-batch", "-"], check=True, text=True, input="\n".join((
            f"link add {INTERFACE} type veth peer name {INTERFACE}-peer",
            f"link set {INTERFACE} up", f"link set {INTERFACE}-peer up",
            f"addr add 10.79.0.1/24 dev {INTERFACE}")) + "\n")
        self.process = self.lab.spawn(self.command, self.log)
        deadline = time.monotonic() + 20
        while ask_quickly("localhost.", "A", self.address, 53) is None:
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"systemd-resolved does not answer: {self.said()[-2000:]}")
        return self

    def __exit__(self, *_):
        self.lab.end(self.process)
        subprocess.run(["ip", "link", "del", INTERFACE], check=True)

    def said(self):
        with open(self.log, errors="replace") as log:
            return log.read()
