"""The installed units under systemd: sockets that it holds, restarts, crashes, a worker that hangs,
reloads, instances."""
import ctypes
import os
import signal
import socket
import time

import yaml

import root
import trial
from load import Load

PTRACE_SEIZE, PTRACE_INTERRUPT, WALL = 0x4206, 0x4207, 0x40000000
# Every address, over UDP and on new TCP connections.
EVERYWHERE = [(address, tcp) for address in ("127.0.0.1", "::1") for tcp in (False, True)]
# Hits, and names that are asked for the first time while the daemon comes and goes.
NAMES = ["www.signed.org", "www.plain.com", "chain1.signed.com"] + \
        [f"n{i}.unsigned.org" for i in range(400)]


class Unit(trial.MachineCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.install(cls, trial.DEB)

    def setUp(self):
        super().setUp()
        self.configure()
        self.systemctl("restart", "resolverd.service")

    def hold_sockets(self):
        """As resolverd.socket says; undone after the test."""
        self.addCleanup(self.systemctl, "start", "resolverd.service")
        self.addCleanup(self.systemctl, "disable", "--now", "resolverd.socket")
        self.addCleanup(self.systemctl, "stop", "resolverd.service")
        self.systemctl("stop", "resolverd.service")
        self.systemctl("enable", "--now", "resolverd.socket")
        self.systemctl("start", "resolverd.service")
        self.assertActive("resolverd.socket")
        self.assertActive()

    def drop_in(self, *lines):
        """More for [Service], until the end of the test."""
        directory = "/run/systemd/system/resolverd.service.d"
        self.machine.write(directory + "/test.conf", "\n".join(["[Service]", *lines, ""]))
        self.addCleanup(self.systemctl, "daemon-reload")
        self.addCleanup(self.machine.run, "rm", "-r", directory)
        self.systemctl("daemon-reload")

    def load(self, rate=100):
        load = Load(EVERYWHERE, NAMES, rate)
        self.addCleanup(load.ending.set)
        return load

    def pid_other_than(self, old):
        """The main process once it is another one and serves."""
        def looked_for():
            pid = self.machine.main_pid()
            return pid if pid not in (0, old) and self.answers() else 0
        return self.until(looked_for, 30)

    # ---- sockets that outlive the daemon

    def test_restart(self):
        """Restarts under load, also with more or fewer workers: not one question is lost."""
        self.restart_under_load()

    def test_restart_with_socket_unit(self):
        self.hold_sockets()
        self.restart_under_load()

    def restart_under_load(self):
        with self.load() as load:
            for workers in 1, 3, 2, 2:
                time.sleep(0.5)
                self.configure(workers=workers)
                self.systemctl("restart", "resolverd.service")
            time.sleep(0.5)
        self.assertGreater(len(load.questions), 800)
        self.assertEqual(load.lost(), [], load.told())
        self.assertHealthy()

    def test_upgrade(self):
        """None is lost in an upgrade; what the operator wrote and what is cached stay."""
        self.upgrade_under_load()

    def test_upgrade_with_socket_unit(self):
        self.hold_sockets()
        self.upgrade_under_load()

    def apt_install(self, deb):
        return self.machine.run("apt-get", "install", "-y", "--allow-downgrades", "-o",
                                "APT::Sandbox::User=root", "-o", "Dpkg::Options::=--force-confold",
                                self.machine.copy_in(deb)).stdout

    def upgrade_under_load(self):
        self.apt_install(trial.DEB)     # back from an earlier test's
        self.configure(identity="edited-by-the-operator")
        self.ask("www.rsa.org")
        with self.load() as load:
            time.sleep(0.5)
            before = self.machine.main_pid()
            said = self.apt_install(trial.LATER)
            after = self.machine.main_pid()
            time.sleep(0.5)
        self.assertEqual(load.lost(), [], load.told())
        self.assertNotIn(after, (0, before), said)
        self.assertEqual(self.machine.text("dpkg-query", "-f", "${Version}", "-W", "resolverd"),
                         root.field(trial.LATER, "Version"))
        self.assertEqual(yaml.safe_load(self.machine.read(trial.CONFIG))["identity"],
                         "edited-by-the-operator")
        self.assertTrue(self.machine.exists(trial.CONFIG + ".dpkg-dist"))
        for server in self.net.servers.values():
            server.stop()
        self.assertData(self.ask("www.rsa.org"), "198.18.1.1")
        self.assertHealthy()

    def test_crash_under_load(self):
        """Who asks after a crash waits in the sockets and is answered; lost are those at most who
        had asked before and whom the daemon had read."""
        self.crash_under_load()

    def test_crash_with_socket_unit(self):
        self.hold_sockets()
        self.crash_under_load()

    def crash_under_load(self):
        with self.load() as load:
            time.sleep(0.5)
            old = self.machine.main_pid()
            os.kill(old, signal.SIGKILL)
            killed = time.monotonic()
            self.pid_other_than(old)
            time.sleep(0.5)
        self.assertEqual(load.lost(since=killed), [], load.told())
        # Within the time that a resolution may take.
        self.assertEqual(load.lost(before=killed - 1.8), [], load.told())
        self.assertLess(len(load.lost()), 40, load.told())
        self.assertHealthy()

    def assertRefuses(self):
        """Nobody listens, and nobody waits in a socket that is not read."""
        for address in "127.0.0.1", "::1":
            with self.assertRaises(ConnectionRefusedError):
                socket.create_connection((address, 53), 5).close()

    def test_stop(self):
        """What is kept for the next daemon does not outlive a stop."""
        self.systemctl("restart", "resolverd.service")
        self.systemctl("stop", "resolverd.service")
        self.assertRefuses()

    def test_started_by_a_query(self):
        """With the sockets alone, the first question starts the daemon, and is answered."""
        self.hold_sockets()
        self.machine.run("systemctl", "stop", "resolverd.service")
        for address in "127.0.0.1", "::1":
            with self.subTest(address):
                self.assertData(self.ask("www.signed.org", address=address, timeout=10),
                                "198.18.1.1")
                self.assertActive()
                self.machine.run("systemctl", "stop", "resolverd.service")

    def test_other_addresses(self):
        """What "listen" names and the socket unit does not is bound by the daemon; what it does not
        name is not served, and told."""
        self.hold_sockets()
        self.configure(listen=["127.0.0.1:53", "127.0.0.3:53"])
        self.systemctl("restart", "resolverd.service")
        self.assertData(self.ask("www.signed.org", address="127.0.0.3"), "198.18.1.1")
        self.assertData(self.ask("www.signed.org", address="127.0.0.1"), "198.18.1.1")
        self.assertFalse(self.answers("::1"))
        self.assertIn("inherited socket stands not in listen, not served address=[::1]:53",
                      self.machine.journal())

    # ---- failures

    def test_crash(self):
        """It comes back, however often."""
        for _ in range(7):
            old = self.machine.main_pid()
            os.kill(old, signal.SIGKILL)
            self.pid_other_than(old)
        self.assertActive()

    def test_wrong_configuration(self):
        """A restart with a mistake fails, says why, and is not tried again."""
        self.machine.write(trial.CONFIG, "nonsense: 1\n")
        self.assertNotEqual(self.machine.run("systemctl", "restart", "resolverd",
                                             check=False).returncode, 0)
        self.assertEqual(self.machine.properties("resolverd", "ActiveState", "ExecMainStatus"),
                         ["failed", "78"])
        self.assertIn("resolverd.yaml:1", self.machine.journal())
        self.assertRefuses()
        time.sleep(2)
        self.assertEqual(self.machine.properties("resolverd", "ActiveState"), ["failed"])

    def test_stuck_worker(self):
        """systemd ends a daemon with a worker that does not turn, and starts it again."""
        self.drop_in("WatchdogSec=2s")
        self.systemctl("restart", "resolverd.service")
        time.sleep(3)       # it is fed, or it would be gone by now
        old = self.machine.main_pid()
        self.stop_a_worker(old)
        new = self.pid_other_than(old)
        self.assertIn("Watchdog timeout", self.machine.journal())
        time.sleep(3)
        self.assertEqual(self.machine.main_pid(), new)

    def stop_a_worker(self, pid):
        """Hold one thread as a debugger does, until it is killed with the rest."""
        tasks = f"/proc/{pid}/task"
        worker = next(int(t) for t in os.listdir(tasks)
                      if open(f"{tasks}/{t}/comm").read().startswith("worker"))
        ptrace = ctypes.CDLL(None, use_errno=True).ptrace
        self.assertEqual(ptrace(PTRACE_SEIZE, worker, 0, 0), 0)
        self.assertEqual(ptrace(PTRACE_INTERRUPT, worker, 0, 0), 0)
        os.waitpid(worker, WALL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:      # its end has to be taken note of by the debugger
            found, status = os.waitpid(worker, WALL | os.WNOHANG)
            if found and (os.WIFSIGNALED(status) or os.WIFEXITED(status)):
                return
            if found:
                ptrace(7, worker, 0, 0)         # PTRACE_CONT: on to its end
            time.sleep(0.05)
        self.fail("systemd has not ended it")

    # ---- the rest of an operator's day

    def test_reload(self):
        """Reloads take effect; one with a mistake fails, and the daemon is left alone."""
        pid = self.machine.main_pid()
        self.configure(identity="reloaded")
        self.systemctl("reload", "resolverd")
        self.until(lambda: "reloaded" in self.dig("@127.0.0.1", "id.server", "CH", "TXT"))
        self.machine.write(trial.CONFIG, "listen: nonsense\n")
        done = self.machine.run("systemctl", "reload", "resolverd", check=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("resolverd.yaml:1", self.machine.journal())
        self.assertEqual(self.machine.main_pid(), pid)
        self.assertTrue(self.answers())
        self.assertIn("reloaded", self.dig("@127.0.0.1", "id.server", "CH", "TXT"))

    def test_control_group(self):
        """The control socket for another group, as the manual says."""
        self.drop_in("SupplementaryGroups=adm", "SystemCallFilter=@chown")
        self.configure(control={"group": "adm"})
        self.systemctl("restart", "resolverd.service")
        self.assertEqual(self.machine.text("stat", "--format=%U %G %a",
                                           "/run/resolverd/control.sock"), "resolverd adm 660")
        self.assertHealthy()

    def test_instance(self):
        """resolverd@two beside the first, with directories of its own, and its own end."""
        self.configure("two", listen=["127.0.0.2:53"], metrics=None)
        self.addCleanup(self.systemctl, "stop", "resolverd@two")
        self.systemctl("start", "resolverd@two")
        self.assertActive("resolverd@two.service")
        self.assertActive()
        self.assertData(self.ask("www.signed.org", address="127.0.0.2"), "198.18.1.1")
        self.assertTrue(self.machine.exists("/var/lib/resolverd-two/data.mdb"))
        said = self.machine.text("resolverctl", "--socket", "/run/resolverd-two/control.sock",
                                 "status")
        self.assertIn("127.0.0.2:53", said)
        self.systemctl("stop", "resolverd@two")
        self.assertTrue(self.answers())
        self.assertHealthy()
