"""Roots of a Debian of its own: made once with mmdebstrap, kept below build/, never changed by use.

    root = debian.make("appliance/root", "bookworm", ["systemd"])       # as root, with a network
    with debian.Layer(root) as layer:           # what is changed goes, when it ends, with the layer
        layer.run("apt-get", "-y", "install", "hello")

    debian.open_up(root)                        # its programs among this machine's files:
    subprocess.run(["chroot", root, "hello"])   # in this network, with the pid of who starts them

Packages come from the sources of this machine's apt, of another suite where one is asked for, and
where it has none of Debian's, from Debian's own mirror. Nothing else of this machine enters.
"""
import ctypes
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import tempfile

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MIRROR = "http://deb.debian.org/debian"
RELEASES = {"bookworm": 12, "trixie": 13}
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
               "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
CLONE_NEWNS = 0x00020000

# In a mount namespace of its own, enter the root at $1. Not by chroot(2): the kernel refuses user
# namespaces to whoever has done that, and who is not root in there needs one for the tests.
ENTER = """
set -e
cd "$1"
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
cp --dereference /etc/resolv.conf run/.resolv.conf
rm -f etc/resolv.conf
cp run/.resolv.conf etc/resolv.conf
mkdir -p mnt
pivot_root . mnt
cd /
umount -l /mnt
shift
exec "$@"
"""


def run(*command, **words):
    """Run COMMAND to its end; what it said."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **words)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


def sources(suite):
    """Lines of sources.list for SUITE, from where this machine gets its packages."""
    form = "$(REPO_URI) $(RELEASE) $(CODENAME) $(ORIGIN) $(LABEL)"
    try:
        said = run("apt-get", "indextargets", "--format", form, "Identifier: Packages",
                   "Component: main")
    except (OSError, RuntimeError):
        said = ""
    lines = []
    for uri, release, codename, origin, label in (line.split() for line in said.splitlines()
                                                  if len(line.split()) == 5):
        if origin == "Debian" and label in ("Debian", "Debian-Security"):
            here = codename.split("-")[0]
            lines.append(f"deb {uri} {re.sub('^' + here, suite, release)} main")
    return list(dict.fromkeys(lines)) or [f"deb {MIRROR} {suite} main"]


def proxies():
    """The machine's way to its mirrors, where it goes through a proxy."""
    try:
        said = run("apt-config", "dump")
    except (OSError, RuntimeError):
        return []
    return re.findall(r"(?m)^Acquire::\S*Proxy \"[^\"]+\";$", said)


def make(name, suite, include, *options, variant="minbase", key=""):
    """The root build/NAME: a Debian SUITE with the packages INCLUDE. OPTIONS are mmdebstrap's. An
    earlier run's if that was made of the same (and with the same KEY)."""
    root = os.path.join(TREE, "build", name)
    command = ["mmdebstrap", "--quiet", "--mode=root", f"--variant={variant}",
               "--include=" + ",".join(include), *(f"--aptopt={line}" for line in proxies()),
               *options, suite, root, *sources(suite)]
    stamp = root + ".key"
    wanted = hashlib.sha256("\n".join(command + [key]).encode()).hexdigest()

    def is_made():
        return os.path.exists(stamp) and open(stamp).read() == wanted
    if is_made():
        return root
    if os.getuid() != 0:
        raise RuntimeError("A root is made by root: be root.")
    os.makedirs(os.path.dirname(root), exist_ok=True)
    with open(root + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)        # two that want it must not make it in one place
        if not is_made():
            if os.path.exists(stamp):
                os.unlink(stamp)
            shutil.rmtree(root, ignore_errors=True)
            run(*command)
            with open(stamp, "w") as out:
                out.write(wanted)
    return root


def open_up(root):
    """From now on, for this process and all that it starts, in a mount namespace of theirs: programs
    of ROOT see processes, devices and temporary files at the places where all others do."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "no mount namespace: be root")
    run("mount", "--make-rprivate", "/")
    for path in "/proc", "/sys", "/dev", tempfile.gettempdir():
        os.makedirs(root + path, exist_ok=True)
        run("mount", "--rbind", path, root + path)


class Layer:
    """A root to be changed: what changes goes into a layer over it, and away with it. BINDS are
    directories of this machine that are seen inside: path here -> path there."""

    def __init__(self, root, binds=None):
        self.binds = dict(binds or {})
        self.dir = tempfile.mkdtemp(prefix="layer.", dir=os.path.dirname(root))
        self.root = os.path.join(self.dir, "root")
        for name in "upper", "work", "root":
            os.mkdir(os.path.join(self.dir, name))
        self.mount = ["mount", "-t", "overlay", "overlay", "-o",
                      f"lowerdir={root},upperdir={self.dir}/upper,workdir={self.dir}/work",
                      self.root]

    def __enter__(self):
        run(*self.mount)
        for here, there in self.binds.items():
            run("mount", "--bind", here, self.root + there)
        return self

    def __exit__(self, *unused):
        subprocess.run(["umount", "--recursive", "--lazy", self.root], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    def command(self, *command):
        """What runs COMMAND inside, as root, with mounts and processes that end with it."""
        return ["unshare", "--mount", "--propagation=private", "--pid", "--fork", "--kill-child",
                "env", "-i", *(f"{k}={v}" for k, v in ENVIRONMENT.items()), "HOME=/root",
                "sh", "-c", ENTER, "sh", self.root, *command]

    def run(self, *command):
        """Run COMMAND inside to its end; what it said."""
        return run(*self.command(*command))
