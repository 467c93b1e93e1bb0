"""Resolvers that others wrote: where their programs are, and of which versions.

    programs.prepare()                  # before lab.enter_namespace(): wants root and a network
    programs.Program("unbound")         # this machine's
    programs.Program("unbound-13")      # Debian 13's, in a root of its own

Run as a program, this makes that root and says what there is.
"""
import functools
import os
import re
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "roots"))
import debian

# kind: the program, what it is asked for its version with, what people call it.
KINDS = {
    "unbound": ("unbound", "-V", "Unbound"),
    "pdns": ("pdns_recursor", "--version", "PowerDNS"),
    "bind": ("named", "-v", "BIND"),
    "kresd": ("kresd", "-V", "Knot Resolver"),
}
SUITE, PACKAGES = "trixie", ["unbound", "pdns-recursor", "bind9", "knot-resolver"]
RELEASE = str(debian.RELEASES[SUITE])
MARK = "RESOLVERD_PEERS_ROOT"       # in the environment: the root, or nothing if there is none


def prepare():
    """Have the programs of Debian 13 beside this machine's, from now on and in all that this process
    starts. Where that cannot be, says so, and there are only the machine's own."""
    if MARK in os.environ:
        return
    os.environ[MARK] = ""
    try:
        root = debian.make(f"peers/{SUITE}", SUITE, PACKAGES)
        debian.open_up(root)
        os.environ[MARK] = root
    except (OSError, RuntimeError) as error:
        said = str(error).strip().splitlines()
        why = next((line for line in said if line.startswith("E: ")), said[-1])
        print(f"Only this machine's own resolvers, none of Debian {RELEASE}: {why}", flush=True)


@functools.cache
def asked(command):
    """The version that COMMAND prints."""
    said = debian.run(*command)
    found = re.search(r"\d+(\.\d+)+", said)
    if not found:
        raise RuntimeError(f"{' '.join(command)}: no version in: {said}")
    return found.group()


class Program:
    """KIND is this machine's, KIND-13 Debian 13's."""

    def __init__(self, name):
        self.name = name
        self.kind = name.removesuffix(f"-{RELEASE}")
        root = os.environ.get(MARK, "") if self.kind != name else "/"
        self.command = KINDS[self.kind][0]
        self.prefix = [] if root == "/" else ["chroot", root]
        self.path = root and shutil.which(self.command, path=os.pathsep.join(
            os.path.join(root, place) for place in ("usr/sbin", "usr/bin", "usr/local/sbin")))

    @property
    def version(self):
        """What it says of itself: "1.26.2"."""
        return asked((*self.prefix, self.command, KINDS[self.kind][1]))

    @property
    def title(self):
        return f"{KINDS[self.kind][2]} {self.version}"

    def run(self, *words):
        """What runs it with WORDS, and has it understand configurations that suit older versions."""
        old = self.kind == "pdns" and int(self.version.split(".")[0]) >= 5      # else wants YAML
        return [*self.prefix, self.command, *words, *["--enable-old-settings"] * old]


def names():
    """Of the programs that are there; Debian 13's only where they are of another version."""
    here = {kind: Program(kind) for kind in KINDS}
    newer = {kind: Program(f"{kind}-{RELEASE}") for kind in KINDS}
    for kind in KINDS:
        if here[kind].path:
            yield kind
        if newer[kind].path and not (here[kind].path and here[kind].version == newer[kind].version):
            yield newer[kind].name


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/local/sbin:/usr/sbin:/sbin"
    prepare()
    for each in names():
        print(f"{each:12} {Program(each).title}")
