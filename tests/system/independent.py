"""A Varlink client that others wrote: the package "varlink" from PyPI, in a virtual environment below
build/. Made before the tests enter their network namespace, from which PyPI cannot be reached."""
import os
import subprocess

VERSION = "31.0.0"


def directory(build):
    return os.path.join(os.path.dirname(os.path.abspath(build)), f"varlink-{VERSION}")


def python(build):
    """Its interpreter, or None if it could not be made."""
    path = os.path.join(directory(build), "bin", "python3")
    return path if os.path.exists(os.path.join(directory(build), "complete")) else None


def prepare(build):
    """Make it, unless it is there. Without PyPI the test that wants it is skipped, and says so."""
    if python(build):
        return
    where = directory(build)
    pip = os.path.join(where, "bin", "pip")
    for command in (["/usr/bin/python3", "-m", "venv", where],
                    [pip, "install", "--quiet", "--disable-pip-version-check", "--no-deps",
                     "--timeout", "5", "--retries", "1", f"varlink=={VERSION}"]):
        try:
            done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  stdin=subprocess.DEVNULL, timeout=120, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return
        if done.returncode:
            return
    with open(os.path.join(where, "complete"), "w"):
        pass
