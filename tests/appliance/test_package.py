"""The life of the package: installed, configured, removed, installed again, purged."""
import re

import trial


class Package(trial.MachineCase):
    def test_life(self):
        for step in (self.install_it, self.use_it, self.look_at_process, self.look_at_files,
                     self.remove_it, self.install_again, self.purge_it, self.install_anew):
            with self.subTest(step.__name__):
                step()

    def status(self):
        return self.machine.run("resolverctl", "status", check=False)

    def install_it(self):
        """apt brings what it needs, and it serves."""
        self.install(trial.DEB)
        self.assertActive()
        self.assertEqual(self.machine.text("systemctl", "is-enabled", "resolverd.service"),
                         "enabled")
        # The sockets and instances are the operator's choice.
        self.assertEqual(self.machine.run("systemctl", "is-enabled", "resolverd.socket",
                                          check=False).stdout.strip(), "disabled")

    def use_it(self):
        """With the lab as its internet: answers that are validated, over both families and both
        transports, and a green status."""
        self.configure()
        self.systemctl("restart", "resolverd")
        for words in ["@127.0.0.1"], ["@127.0.0.1", "+tcp"], ["@::1"], ["@::1", "+tcp"]:
            said = self.dig(*words, "www.signed.org", "A", "+adflag")
            self.assertRegex(said, r"flags: qr rd ra ad;", said)
            self.assertIn("198.18.1.1", said)
        self.assertIn("SERVFAIL", self.dig("@127.0.0.1", "www.badsig.org"))
        status = self.status()
        self.assertEqual((status.returncode, status.stderr), (0, ""))
        self.assertNotIn("attention", status.stdout)
        self.assertHealthy()

    def look_at_process(self):
        """Nobody in particular, with one capability and two sandboxes."""
        with open(f"/proc/{self.machine.main_pid()}/status") as text:
            found = dict(re.findall(r"(?m)^(\w+):\s*(.*)$", text.read()))
        account = re.search(r"(?m)^resolverd:x:(\d+):(\d+):", self.machine.read("/etc/passwd"))
        self.assertEqual(set(found["Uid"].split()), {account.group(1)})
        self.assertEqual(set(found["Gid"].split()), {account.group(2)})
        for which in "CapPrm", "CapEff", "CapBnd":
            self.assertEqual(int(found[which], 16), 1 << 10, which)     # CAP_NET_BIND_SERVICE
        self.assertEqual(int(found["CapAmb"], 16), 0)
        self.assertEqual((found["Seccomp"], found["NoNewPrivs"]), ("2", "1"))
        self.assertIn("sandbox=capabilities,landlock,seccomp", self.machine.journal())

    def look_at_files(self):
        account = re.search(r"(?m)^resolverd:x:(\d+):", self.machine.read("/etc/passwd")).group(1)
        for path, mode in ("/var/lib/resolverd", 0o750), ("/run/resolverd", 0o755):
            said = self.machine.text("stat", "--format=%u %a", path).split()
            self.assertEqual(said, [account, f"{mode:o}"], path)
        self.assertEqual(self.machine.text("stat", "--format=%U %a", trial.CONFIG), "root 644")

    def remove_it(self):
        """Nothing runs any more, no instance and no socket. The configuration and the cache stay."""
        self.configure("two", listen=["127.0.0.2:53"], metrics=None)
        self.systemctl("stop", "resolverd.service")
        self.systemctl("enable", "--now", "resolverd.socket", "resolverd@two.service")
        self.assertTrue(self.answers() and self.answers("127.0.0.2"))
        self.machine.run("apt-get", "remove", "-y", "resolverd")
        self.assertFalse(self.machine.exists("/usr/sbin/resolverd"))
        self.assertEqual(self.machine.text("systemctl", "list-units", "--no-legend", "--state=active",
                                           "resolverd*"), "")
        self.assertFalse(self.answers() or self.answers("127.0.0.2"))
        self.assertTrue(self.machine.exists("/var/lib/resolverd-two/data.mdb"))
        self.assertTrue(self.machine.exists(trial.CONFIG))
        self.assertTrue(self.machine.exists("/var/lib/resolverd/data.mdb"))

    def install_again(self):
        """As it was, and warm."""
        for server in self.net.servers.values():
            server.stop()
        self.install(trial.DEB)
        self.assertActive()
        self.assertIn("trust-anchors", self.machine.read(trial.CONFIG))
        self.assertData(self.ask("www.signed.org"), "198.18.1.1")
        self.net.heal()

    def purge_it(self):
        """Nothing is left, but what the operator wrote, and the account: Debian keeps accounts."""
        self.machine.run("apt-get", "purge", "-y", "resolverd")
        left = self.machine.text("find", "/etc", "/var", "/run", "/usr", "-name", "*resolverd*",
                                 "-not", "-path", "/var/cache/apt/*").split()
        self.assertEqual(sorted(left), ["/etc/resolverd"])
        self.assertEqual(self.machine.text("ls", "/etc/resolverd").split(),
                         ["root.hints", "two.yaml"])
        self.assertIn("resolverd:x:", self.machine.read("/etc/passwd"))
        self.assertEqual(self.machine.run("dpkg", "-s", "resolverd", check=False).returncode, 1)

    def install_anew(self):
        self.install(trial.DEB)
        self.assertActive()
