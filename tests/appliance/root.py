"""The packages to be tried, and a Debian root in which to try them. Both are made while there is a
network; what is done with them needs none: what the package depends on lies in apt's own cache."""
import glob
import hashlib
import os
import re
import shutil
import subprocess

TREE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(TREE, "build", "appliance")
SUITE = "bookworm"


def run(*command, **words):
    """Run COMMAND to its end; what it said."""
    done = subprocess.run(command, stdin=subprocess.DEVNULL, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, **words)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-4000:]}")
    return done.stdout


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
    root, stamp = os.path.join(HERE, "root"), os.path.join(HERE, "root.key")
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=systemd,systemd-sysv,dbus",
               f"--customize-hook=copy-in {deb} /root",
               '--customize-hook=chroot "$1" apt-get -y install --download-only '
               f"/root/{os.path.basename(deb)}",
               f'--customize-hook=rm "$1"/root/{os.path.basename(deb)}',
               "--skip=cleanup/apt", SUITE, root]
    key = hashlib.sha256("\n".join(command + [field(deb, "Depends")]).encode()).hexdigest()
    if os.path.exists(stamp) and open(stamp).read() == key:
        return root
    if os.path.exists(stamp):
        os.unlink(stamp)
    shutil.rmtree(root, ignore_errors=True)
    run(*command)
    with open(stamp, "w") as out:
        out.write(key)
    return root
