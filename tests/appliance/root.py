"""The packages to be tried, and a Debian root in which to try them. Both are made while there is a
network; what is done with them needs none: what the package depends on lies in apt's own cache."""
import glob
import os
import re
import shutil
import sys

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(TREE, "build", "appliance")
SUITE = "bookworm"

sys.path.insert(0, os.path.join(TREE, "tests", "roots"))
import debian
from debian import run


def field(deb, name):
    return run("dpkg-deb", "--field", deb, name).strip()


def build_package():
    """The package of the last commit; an earlier run's if that was of the same one."""
    commit = run("git", "rev-parse", "HEAD", cwd=TREE).strip()
    stamp = os.path.join(HERE, "deb.commit")
    found = glob.glob(f"{HERE}/deb/resolverd_*.deb")
    if len(found) == 1 and os.path.exists(stamp) and open(stamp).read() == commit:
        return found[0]
    shutil.rmtree(f"{HERE}/deb", ignore_errors=True)
    # Its unit tests are run by gates of their own.
    run("packaging/debian/build", "-b", cwd=TREE,
        env={**os.environ, "DEB_BUILD_OPTIONS": "nocheck noddebs", "OUT": f"{HERE}/deb"})
    with open(stamp, "w") as out:
        out.write(commit)
    return glob.glob(f"{HERE}/deb/resolverd_*.deb")[0]


def later_version(deb):
    """The same package as the next release: a higher version, and a default configuration that
    has changed, so that dpkg has to choose between it and what the operator wrote."""
    version = re.sub(r"-1$", "-2", field(deb, "Version"))
    out = os.path.join(HERE, f"resolverd_{version}_{field(deb, 'Architecture')}.deb")
    tree = os.path.join(HERE, "later")
    shutil.rmtree(tree, ignore_errors=True)
    run("dpkg-deb", "--raw-extract", deb, tree)
    control = os.path.join(tree, "DEBIAN", "control")
    with open(control) as was:
        text = was.read()
    with open(control, "w") as now:
        now.write(re.sub(r"(?m)^Version: .*$", f"Version: {version}", text))
    with open(os.path.join(tree, "etc/resolverd/resolverd.yaml"), "a") as config:
        config.write("# of the later version\n")
    run("dpkg-deb", "--root-owner-group", "--build", tree, out)
    shutil.rmtree(tree)
    return out


def make_root(deb):
    """A minimal Debian with systemd, and what DEB depends on downloaded but not installed. Kept
    between runs as long as DEB depends on the same."""
    return debian.make(
        "appliance/root", SUITE, ["systemd", "systemd-sysv", "dbus"],
        f"--customize-hook=copy-in {deb} /root",
        '--customize-hook=chroot "$1" apt-get -y install --download-only '
        f"/root/{os.path.basename(deb)}",
        f'--customize-hook=rm "$1"/root/{os.path.basename(deb)}', "--skip=cleanup/apt",
        key=field(deb, "Depends"))
