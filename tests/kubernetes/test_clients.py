"""Other people's resolvers straight in front of the daemon: over UDP and TCP, with EDNS and without,
small answers and large ones, and those that validate again what we have validated."""
import os
import subprocess
import time

import case
import cluster
from resolvers import ask_quickly

ADDRESS = "10.0.1.53"
A, TXT, AAAA = "1", "16", "28"


class ClientCase(case.DaemonCase):
    options = {"address": ADDRESS}

    @classmethod
    def setUpClass(cls):
        case.NET.add_addresses([ADDRESS])
        super().setUpClass()


class Stub(ClientCase):
    """Programs that are linked with a resolver."""

    CASES = [
        # why, name, type, rcode, number of answers
        ("an address", "www.signed.org", A, 0, 1),
        ("IPv6", "www.plain.com", AAAA, 0, 1),
        ("aliases", "chain1.signed.org", A, 0, 4),
        ("more than 512 bytes", "medium.big.org", TXT, 0, 6),
        ("more than UDP carries", "big.big.org", TXT, 0, 15),
        ("nearly as large as a message can be", "huge.big.org", TXT, 0, 150),
        ("many addresses", "crowd.big.org", A, 0, 100),
    ]
    FAILURES = [
        ("no such name", "nothing.signed.org", A),
        ("no such type", "www.signed.org", TXT),
        ("bogus", "www.badsig.org", A),
    ]

    def run_stub(self, program, options, name, rrtype):
        text = f"nameserver {ADDRESS}\noptions {options}\n"
        done = cluster.run_in_pod(self.net, "stub", text, [cluster.built(program), name, rrtype])
        return done.returncode, done.stdout

    def test_glibc(self):
        for options in "ndots:1", "edns0", "use-vc", "edns0 use-vc", "single-request-reopen":
            for why, name, rrtype, rcode, answers in self.CASES:
                with self.subTest(why, options=options):
                    status, said = self.run_stub("stub", options, name, rrtype)
                    self.assertEqual(status, 0, said)
                    self.assertRegex(said, f"^rcode={rcode} answers={answers} bytes=[0-9]+ tc=0$")
            for why, name, rrtype in self.FAILURES:
                with self.subTest(why, options=options):
                    self.assertEqual(self.run_stub("stub", options, name, rrtype)[0], 1)

    def test_musl(self):
        """It has no EDNS, and before its version 1.2.4 no TCP: of large answers, which we cut by whole
        sets, nothing is left for it then."""
        for why, name, rrtype, rcode, answers in self.CASES:
            with self.subTest(why):
                said = self.run_stub("stub-musl", "ndots:1", name, rrtype)[1]
                if answers > 4 and said.startswith("error="):
                    continue
                self.assertIn(f"rcode={rcode} answers={answers} ", said)
        for why, name, rrtype in self.FAILURES:
            with self.subTest(why):
                said = self.run_stub("stub-musl", "ndots:1", name, rrtype)[1]
                self.assertRegex(said, "^error=|answers=0 ")

    def test_cares(self):
        """What it parses must be all that the zone has."""
        for transport in [], ["tcp"]:
            for why, name, rrtype, _, answers in self.CASES:
                with self.subTest(why, transport=transport):
                    words = [name, {A: "A", AAAA: "AAAA", TXT: "TXT"}[rrtype], *transport]
                    said = self.net.tool(cluster.built("ares"), ADDRESS, *words).splitlines()
                    self.assertTrue(said[-1].startswith("rcode=0 bytes="), said[-1])
                    self.assertEqual(len(said) - 1, 1 if "chain" in name else answers)
            for why, name, rrtype in self.FAILURES:
                with self.subTest(why, transport=transport):
                    done = subprocess.run([cluster.built("ares"), ADDRESS, name, "A" if rrtype == A
                                           else "TXT", *transport], capture_output=True, text=True,
                                          timeout=20, check=False)
                    self.assertEqual(done.returncode, 1, done.stdout)


class Forwarder:
    """A resolver of others that asks the daemon, answers on `front`, and validates by itself with the
    lab's trust anchor, so that the chain must come through us complete."""
    unchecked = ()      # what it does not validate although it should

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.dir = os.path.join(cls.net.dir, cls.__name__)
        os.makedirs(cls.dir, exist_ok=True)
        cls.net.add_addresses([cls.front])
        command = cls.prepare()
        cls.process = cls.net.spawn(command, os.path.join(cls.dir, "log"))
        deadline = time.monotonic() + 10
        while not ask_quickly("www.plain.com", "A", cls.front, 53):
            if time.monotonic() > deadline or cls.process.poll() is not None:
                raise RuntimeError(f"{cls.__name__}: {cls.said()}")

    @classmethod
    def tearDownClass(cls):
        cls.net.end(cls.process)
        super().tearDownClass()

    @classmethod
    def said(cls):
        with open(os.path.join(cls.dir, "log"), errors="replace") as log:
            return log.read()[-3000:]

    def ask(self, name, rrtype="A", **words):
        return super().ask(name, rrtype, address=self.front, timeout=5, **words)

    def test_answers(self):
        for tcp in False, True:
            for edns in False, True:
                with self.subTest(tcp=tcp, edns=edns):
                    self.assertIn("198.18.1.1", case.data(self.ask("www.signed.org", tcp=tcp, edns=edns)))
                    self.assertIn("198.18.1.1", case.data(self.ask("chain1.plain.com", tcp=tcp,
                                                                   edns=edns)))
                    self.assertStatus(self.ask("nothing.signed.org", tcp=tcp, edns=edns), "NXDOMAIN")
                    self.assertStatus(self.ask("www.badsig.org", tcp=tcp, edns=edns), "SERVFAIL")
                    self.assertEqual(case.data(self.ask("www.signed.org", "MX", tcp=tcp, edns=edns)),
                                     [])

    def test_large(self):
        for name, count in ("medium.big.org", 6), ("big.big.org", 15), ("huge.big.org", 150):
            with self.subTest(name):
                reply = self.ask(name, "TXT", tcp=True, cd=name in self.unchecked)
                self.assertEqual(len(case.data(reply)), count)
        self.assertTrue(self.ask("huge.big.org", "TXT").flags & 0x0200, "TC over UDP")

    def test_validates(self):
        cases = [
            ("an address", "www.signed.org", "A"),
            ("NSEC3", "www.nsec3.org", "A"),
            ("a chain of four zones", "www.child.signed.org", "A"),
            ("RSA/SHA-512", "www.rsa.org", "A"),
            ("P-384", "www.p384.org", "A"),
            ("aliases", "chain1.signed.com", "A"),
            ("from a wildcard", "any.wild.org", "A"),
            ("no such name, NSEC", "nothing.signed.org", "A"),
            ("no such name, NSEC3", "nothing.nsec3.org", "A"),
            ("no such type, NSEC", "www.signed.org", "TYPE65399"),
            ("no such type, NSEC3", "www.signed.com", "TYPE65399"),
            ("keys", "signed.org", "DNSKEY"),
            ("DS", "signed.org", "DS"),
        ]
        for why, name, rrtype in cases:
            with self.subTest(why):
                self.assertFlag(self.ask(name, rrtype, do=True), "AD")
        for why, name in ("unsigned", "www.plain.com"), ("island", "www.island.unsigned.org"):
            with self.subTest(why):
                reply = self.ask(name, do=True)
                self.assertStatus(reply, "NOERROR")
                self.assertFlag(reply, "AD", False)


class Unbound(Forwarder, ClientCase):
    front = "10.0.3.1"

    @classmethod
    def prepare(cls):
        lines = ["server:", '  username: ""', '  chroot: ""', '  pidfile: ""', f"  directory: {cls.dir}",
                 "  use-syslog: no", f"  interface: {cls.front}@53", "  access-control: 0.0.0.0/0 allow",
                 '  module-config: "validator iterator"', "  do-not-query-localhost: no",
                 "  harden-below-nxdomain: yes", "  qname-minimisation: no", "  do-daemonize: no"]
        lines += [f'  trust-anchor: "{ds}"' for ds in cls.net.trust_anchors]
        lines += ["remote-control:", "  control-enable: no", "forward-zone:", "  name: .",
                  f"  forward-addr: {ADDRESS}"]
        path = os.path.join(cls.dir, "unbound.conf")
        with open(path, "w") as out:
            out.write("\n".join(lines) + "\n")
        return ["unbound", "-d", "-c", path]


class UnboundTCP(Unbound):
    """As with force_tcp: many questions on connections that stay open."""
    front = "10.0.3.2"

    @classmethod
    def prepare(cls):
        command = super().prepare()
        with open(command[-1]) as file:
            text = file.read()
        with open(command[-1], "w") as out:
            out.write(text.replace("server:\n", "server:\n  tcp-upstream: yes\n", 1))
        return command


class Dnsmasq(Forwarder, ClientCase):
    front = "10.0.3.3"
    unchecked = ("huge.big.org",)       # bogus to it, behind any resolver; it passes it on with CD

    @classmethod
    def prepare(cls):
        anchors = [f"--trust-anchor=.,{','.join(anchor.split()[2:])}" for anchor in
                   cls.net.trust_anchors]
        return ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                "--log-facility=-", "--pid-file", "--user=", "--bind-interfaces",
                f"--listen-address={cls.front}", "--except-interface=none", f"--server={ADDRESS}",
                "--dnssec", "--dnssec-check-unsigned", *anchors]


def resolved_program():
    """systemd-resolved, installed or taken out of its package by tests/kubernetes/build."""
    for path in ["/usr/lib/systemd/systemd-resolved", "/lib/systemd/systemd-resolved",
                 os.path.join(cluster.built("systemd-resolved"), "lib/systemd/systemd-resolved")]:
        if os.path.exists(path):
            return path
    return None


class Resolved(Forwarder, ClientCase):
    """systemd-resolved, with accounts, /run and /etc/systemd of its own, and no bus."""
    front = "127.0.0.53"

    @classmethod
    def prepare(cls):
        files = {
            "passwd": "root:x:0:0::/:/bin/sh\nsystemd-resolve:x:990:990::/:/bin/sh\n",
            "group": "root:x:0:\nsystemd-resolve:x:990:\n",
            "resolved.conf": f"[Resolve]\nDNS={ADDRESS}\nFallbackDNS=\nDNSSEC=yes\nLLMNR=no\n"
                             "MulticastDNS=no\n",
            "lab.positive": "".join(anchor.replace(". DS", ". IN DS") + "\n"
                                    for anchor in cls.net.trust_anchors),
        }
        for name, text in files.items():
            with open(os.path.join(cls.dir, name), "w") as out:
                out.write(text)
        script = f"""set -e
mount --bind {cls.dir}/passwd /etc/passwd
mount --bind {cls.dir}/group /etc/group
mkdir -p {cls.dir}/etc/dnssec-trust-anchors.d
cp {cls.dir}/lab.positive {cls.dir}/etc/dnssec-trust-anchors.d/
mkdir -p {cls.dir}/etc/systemd
cp {cls.dir}/resolved.conf {cls.dir}/etc/systemd/
cp /etc/passwd /etc/group {cls.dir}/etc/
mount --bind {cls.dir}/etc /etc
mount -t tmpfs none /run
mkdir /run/systemd
exec {resolved_program()}"""
        return ["unshare", "-m", "sh", "-c", script]

    @classmethod
    def setUpClass(cls):
        if not resolved_program():
            raise case.unittest.SkipTest("no systemd-resolved here")
        # It asks nobody on a machine whose only interface is loopback.
        for words in ("link add pod0 type veth peer name pod1", "link set pod1 up", "link set pod0 up",
                      "addr add 10.77.0.1/24 dev pod0"):
            subprocess.run(["ip", *words.split()], check=True)
        try:
            super().setUpClass()
        except BaseException:
            subprocess.run(["ip", "link", "del", "pod0"], check=True)
            raise

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        subprocess.run(["ip", "link", "del", "pod0"], check=True)
