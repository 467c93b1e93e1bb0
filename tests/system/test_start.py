"""What the daemon finds when it starts: descriptors that are closed, signals that come too early."""
import os
import signal
import subprocess
import time

import case
from control import Ctl, Varlink


class StartCase(case.FreshCase):
    def begin(self, config=None, wrapper=()):
        self.daemon = self.net.resolver(config, wrapper=wrapper).start()
        self.addCleanup(lambda: self.daemon.process and self.daemon.stop())


class Descriptors(StartCase):
    def test_closed(self):
        """Standard descriptors that are closed are /dev/null, not the next file that is opened: what
        is logged would go there."""
        self.begin({"log": {"level": "debug"}}, ["bash", "-c", 'exec "$@" <&- >&- 2>&-', "bash"])
        pid = self.daemon.process.pid
        self.assertEqual([os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)],
                         ["/dev/null"] * 3)
        self.assertData(self.ask("www.signed.org"), "198.18.1.1")
        self.daemon.reload()
        self.assertEqual(self.daemon.stop(), 0)
        with open(os.path.join(self.daemon.dir, "cache", "data.mdb"), "rb") as file:
            self.assertNotIn(b"configuration reloaded", file.read())
        self.daemon.start()
        control = Varlink(os.path.join(self.daemon.dir, "control.sock"))
        self.addCleanup(control.close)
        self.assertEqual(control.call("Status")["cache"]["disk"]["state"], "good")

    def test_client(self):
        """resolverctl without a standard output does not print into its connection."""
        self.begin()
        command = [os.path.join(self.net.build, "resolverctl"), "--socket",
                   os.path.join(self.daemon.dir, "control.sock"), "status"]
        done = subprocess.run(["bash", "-c", 'exec "$@" <&- >&-', "bash", *command], timeout=10,
                              stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


class Hangup(StartCase):
    def test_before_it_serves(self):
        """SIGHUP before the configuration is read is a reload once it serves, not the end."""
        self.begin(wrapper=["env", "LD_PRELOAD=" + self.net.shim("hangup")])
        self.until(lambda: "configuration reloaded" in self.daemon.said())
        self.assertData(self.ask("www.signed.org"), "198.18.1.1")


    def test_while_it_is_loaded(self):
        """Where SIGHUP was ignored by who started it, none is too early: before
        the configuration is read it means nothing, and later ones are reloads."""
        for _ in range(10):
            self.daemon = self.net.resolver(wrapper=["sh", "-c", 'trap "" HUP; exec "$@"', "sh"])
            self.addCleanup(lambda d=self.daemon: d.process and d.stop())
            self.daemon.start(wait=False)
            process = self.daemon.process
            while "resolverd" not in os.readlink(f"/proc/{process.pid}/exe"):
                pass
            for _ in range(20):
                process.send_signal(signal.SIGHUP)
                time.sleep(0.0005)
            self.daemon.wait()
            before = self.daemon.said().count("configuration reloaded")
            self.daemon.reload()
            self.until(lambda: self.daemon.said().count("configuration reloaded") > before)
            self.assertEqual(self.daemon.stop(), 0)


class Files(StartCase):
    """What the configuration names as a file, and itself, is one that has an end."""

    def odd_files(self):
        """Path and what is told of it."""
        pipe, large, null = (os.path.join(self.daemon.dir, name) for name in ("pipe", "large", "nul"))
        os.mkfifo(pipe)
        with open(large, "wb") as file:
            file.truncate(1 << 40)
        with open(null, "wb") as file:
            file.write(b"\0")
        return (("/dev/zero", "not a regular file"), (pipe, "not a regular file"),
                (self.daemon.dir, "not a regular file"), (large, "the file is too large"),
                ("/proc/self/mem", "error"), (null, "not"))

    def test_root_hints(self):
        """Refused by a reload and with --check; what was in effect stays."""
        self.begin()
        for path, why in self.odd_files():
            with self.subTest(path):
                self.daemon.configure({"root-hints": path})
                done = self.daemon.run("--check", "--config", self.daemon.file)
                self.assertEqual(done.returncode, 78)
                self.assertRegex(done.stderr, rf"config:\d+: root-hints: {path} .*{why}")
                self.daemon.reload()
                # With the blank: the directory's path begins those of its files.
                self.until(lambda: f"root-hints: {path} " in self.daemon.said())
                self.assertData(self.ask("www.signed.org"), "198.18.1.1")

    def test_itself(self):
        self.daemon = self.net.resolver()
        for path, why in self.odd_files():
            with self.subTest(path):
                done = self.daemon.run("--check", "--config", path)
                self.assertEqual(done.returncode, 78)
                self.assertRegex(done.stderr, f"^resolverd: {path}(:1)?: .*{why}")


class WithoutIPv6(StartCase):
    """The kernel does not have the family."""

    def begin_without(self, **config):
        self.begin(config, ["env", "LD_PRELOAD=" + self.net.shim("noipv6")])
        self.ctl = Ctl(self.net, self.daemon)

    def warnings(self):
        return self.ctl.json("status")["warnings"]

    def test_default(self):
        """What nobody named is left out."""
        self.begin_without(listen=None)
        for tcp in False, True:
            self.assertData(self.ask("www.signed.org", tcp=tcp), "198.18.1.1")
        self.assertEqual(self.warnings(), [])
        self.assertEqual(self.ctl.json("status")["listen"], ["127.0.0.1:53"])
        self.assertNotIn("::1", self.daemon.said())

    def test_named(self):
        """What was named is a warning; the rest is served, and so it stays at a reload."""
        self.begin_without(listen=["127.0.0.1:53", "0.0.0.0:5399", "[::]:5399"])
        for _ in range(2):
            self.assertData(self.ask("www.signed.org"), "198.18.1.1")
            self.assertEqual(self.warnings(), ["[::]:5399 is not served: Address family not "
                                               "supported by protocol"])
            self.ctl.text("config", "reload")
        self.assertSaid("family that the system does not have", times=1)
        self.assertNotIn("cannot listen", self.daemon.said())
