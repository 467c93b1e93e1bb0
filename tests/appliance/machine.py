"""A booted Debian: systemd as its process 1, in the network namespace of this program, so that it
reaches the lab's servers and nothing else, and this program is a client on its loopback.

What it changes goes to a layer over the root, which stays as it was.
"""
import glob
import os
import re
import shutil
import subprocess
import tempfile
import time

from lab import end_with_parent

BOOT_S = 60


class Machine:
    """boot() ... power_off(). Mounts vanish with the mount namespace of this program, processes with
    nspawn, which ends with it too."""

    def __init__(self, root, scratch):
        self.dir = tempfile.mkdtemp(prefix="machine.", dir=scratch)
        self.root = os.path.join(self.dir, "root")
        self.process = self.init = None
        for name in "upper", "work", "root":
            os.mkdir(os.path.join(self.dir, name))
        layers = f"lowerdir={root},upperdir={self.dir}/upper,workdir={self.dir}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, self.root], check=True)

    def boot(self):
        log = os.path.join(self.dir, "console")
        with open(log, "ab") as out:
            # As on a real machine: systemd may set buffers of sockets (CAP_NET_ADMIN), and there is
            # Landlock, of which older versions of nspawn have not heard.
            self.process = subprocess.Popen(
                ["systemd-nspawn", "--quiet", "--register=no", "--keep-unit", "--settings=no",
                 "--capability=CAP_NET_ADMIN", "--resolv-conf=off", "--timezone=off",
                 "--link-journal=no",
                 "--system-call-filter=landlock_create_ruleset landlock_add_rule "
                 "landlock_restrict_self", "--console=pipe", "--directory=" + self.root, "--boot"],
                stdin=subprocess.DEVNULL, stdout=out, stderr=out, preexec_fn=end_with_parent)
        deadline = time.monotonic() + BOOT_S
        while time.monotonic() < deadline and self.process.poll() is None:
            self.init = self.init or self.find_init()
            if self.init and self.run("systemctl", "is-system-running", check=False).stdout \
                    .strip() in ("running", "degraded"):
                return self
            time.sleep(0.1)
        with open(log, errors="replace") as said:
            raise RuntimeError("systemd does not come up: " + said.read()[-3000:])

    def find_init(self):
        """The process that is number 1 inside, by its number here."""
        for path in glob.glob(f"/proc/{self.process.pid}/task/*/children"):
            with open(path) as children:
                for child in children.read().split():
                    with open(f"/proc/{child}/comm") as comm:
                        if comm.read() == "systemd\n":
                            return int(child)
        return None

    def power_off(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()        # an orderly end of the machine
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        subprocess.run(["umount", "--lazy", self.root], check=False)
        shutil.rmtree(self.dir, ignore_errors=True)

    # ---- what an operator does

    def run(self, *command, check=True, timeout=120, stdin=None):
        """Run COMMAND inside to its end."""
        done = subprocess.run(
            ["nsenter", "--target", str(self.init), "--mount", "--pid", "--ipc", "--uts", "--root",
             "--wd", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
             "DEBIAN_FRONTEND=noninteractive", "SYSTEMD_PAGER=", *command],
            input=stdin or "", text=True, capture_output=True, timeout=timeout, check=False)
        if check and done.returncode:
            raise AssertionError(f"{' '.join(command)}: {done.returncode}\n{done.stdout[-3000:]}"
                                 f"{done.stderr[-3000:]}")
        return done

    def text(self, *command):
        return self.run(*command).stdout.strip()

    def properties(self, unit, *names):
        """Those properties of UNIT, as a list in the same order."""
        said = self.text("systemctl", "show", unit, "--property=" + ",".join(names))
        found = dict(line.split("=", 1) for line in said.splitlines())
        return [found[name] for name in names]

    def path(self, path):
        """Where a file of the machine is found from here, whatever is mounted inside."""
        return f"/proc/{self.init}/root{path}"

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w") as out:
            out.write(text)

    def read(self, path):
        with open(self.path(path)) as text:
            return text.read()

    def exists(self, path):
        return os.path.lexists(self.path(path))

    def copy_in(self, path, to="/root/"):
        return to + os.path.basename(shutil.copy(path, self.path(to)))

    def journal(self, unit="resolverd", *options):
        """What the unit and systemd about it have said; of one boot, which is all there is."""
        return self.text("journalctl", "--no-pager", "--quiet", "--output=cat", f"--unit={unit}",
                         *options)

    def main_pid(self, unit="resolverd"):
        """By its number here; 0: none."""
        inside = self.properties(unit, "MainPID")[0]
        space = os.readlink(f"/proc/{self.init}/ns/pid")
        for path in glob.glob("/proc/[0-9]*") if inside != "0" else []:
            try:
                with open(path + "/status") as status:
                    numbers = re.search(r"(?m)^NSpid:(.*)", status.read()).group(1).split()
                if numbers[-1] == inside and os.readlink(path + "/ns/pid") == space:
                    return int(path.split("/")[2])
            except OSError:         # ended meanwhile
                pass
        return 0
