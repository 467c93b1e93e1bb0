"""What packaging/aws/user-data.yaml says, done as cloud-init would do it: an appliance of a VPC."""
import os

import yaml

import root
import trial
import zones

PROVIDER = "169.254.169.253"
PRIVATE = "ip-10-0-1-10.eu-west-1.compute.internal"


class UserData(trial.MachineCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.net.add_addresses([PROVIDER])
        cls.provider = cls.net.resolver(kind="unbound", address=PROVIDER, dnssec=False, extra=[
            'local-zone: "eu-west-1.compute.internal." static',
            f'local-data: "{PRIVATE}. 60 A 10.0.1.10"']).start()
        cls.addClassCleanup(cls.provider.stop)

    def user_data(self):
        """As in the file, but for the package's place; and for addresses, since the machine shares
        its network with the lab's servers."""
        self.machine.copy_in(trial.DEB)
        with open(os.path.join(root.TREE, "packaging", "aws", "user-data.yaml")) as file:
            text = file.read()
        for what, instead in (("https://packages.example.com/resolverd_amd64.deb",
                               "copy:/root/" + os.path.basename(trial.DEB)),
                              ("0.0.0.0:", "127.0.0.1:"), ("[::]:", "[::1]:")):
            self.assertIn(what, text)
            text = text.replace(what, instead)
        return yaml.safe_load(text)

    def write_files(self, files):
        with open(self.net.hints) as hints:
            self.machine.write("/etc/resolverd/root.hints", hints.read())
        for file in files:
            content = file["content"]
            if file["path"] == trial.CONFIG:
                content += yaml.safe_dump({"root-hints": "/etc/resolverd/root.hints",
                                           "dnssec": {"trust-anchors": self.net.trust_anchors},
                                           "resolution": {"do-query": zones.NETWORKS}})
            self.machine.write(file["path"], content)
            self.machine.run("chmod", file.get("permissions", "0644"), file["path"])

    def test_makes_an_appliance(self):
        data = self.user_data()
        self.write_files(data["write_files"])
        for _ in range(2):          # it may run again
            for command in data["runcmd"]:
                self.machine.run(*command)
            self.assertActive()
        self.assertEqual(self.machine.read("/etc/resolv.conf").split()[:4],
                         ["nameserver", "127.0.0.1", "nameserver", PROVIDER])
        self.assertData(self.ask("www.signed.org"), "198.18.1.1")
        self.assertData(self.ask(PRIVATE), "10.0.1.10")
        self.assertEde(self.ask("www.signed.org.eu-west-1.compute.internal"), 17)
        # Of the machine itself, by its C library.
        self.assertIn("198.18.1.1", self.machine.text("getent", "ahostsv4", "www.signed.org"))
        self.assertHealthy()
