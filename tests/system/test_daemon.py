"""The process: configuration, signals, sockets."""
import contextlib
import os
import pwd
import signal
import socket
import threading
import time

import dns.message
import dns.rdatatype
import dns.rrset

import case
from control import Varlink

EX_CONFIG = 78


class Configuration(case.DaemonCase):
    def check(self, text):
        """--check of a configuration: status and what was said."""
        path = os.path.join(self.net.dir, "check.yaml")
        with open(path, "w") as out:
            out.write(text)
        done = self.daemon.run("--check", "--config", path)
        return done.returncode, done.stderr + done.stdout

    def test_good(self):
        """An empty file is a working resolver."""
        for text in "", "{}\n", "# nothing\n", "workers: 2\n", "listen: ['127.0.0.1:53']\n":
            status, said = self.check(text)
            self.assertEqual(status, 0, f"{text!r}: {said}")

    def test_remarks(self):
        """RFC 6840 §5.2: an anchor of an unknown algorithm beside a known one is told, and no error."""
        status, said = self.check("dnssec:\n  trust-anchors:\n  - '. DS 1 8 2 %s'\n"
                                  "  - '. DS 2 99 2 %s'\n" % (64 * "A", 64 * "B"))
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r"check\.yaml:4: dnssec\.trust-anchors\[1\].*left out")

    def test_shipped(self):
        path = os.path.join(os.path.dirname(__file__), "..", "..", "etc", "resolverd.yaml")
        done = self.daemon.run("--check", "--config", path)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_bad(self):
        """One line that names file, line and key; exit 78 (EX_CONFIG)."""
        for text, line, key in (
                ("workers: 1\nwrokers: 2\n", 2, "wrokers"),
                ("workers: many\n", 1, "workers"),
                ("workers: -1\n", 1, "workers"),
                ("\nlisten: [\"127.0.0.1:99999\"]\n", 2, "listen"),
                ("listen: [\"localhost\"]\n", 1, "listen"),
                ("listen: 5\n", 1, "listen"),
                ("access: {allow: [friends]}\n", 1, "allow"),
                ("access:\n  allow: [10.0.0.0/33]\n", 2, "allow"),
                ("cache:\n  memory: 12X\n", 2, "memory"),
                ("cache:\n  memry: 12M\n", 2, "memry"),
                ("forward-zones:\n  - name: \"a..b.\"\n    servers: [\"192.0.2.1\"]\n", 2, "name"),
                ("forward-zones:\n  - name: b.\n    servers: [\"192.0.2.300\"]\n", 3, "servers"),
                ("forward-zones:\n  - name: b.\n    servers: []\n", None, "servers"),
                ("dnssec:\n  trust-anchors: [\". DS 1 8 2 ABC\"]\n", 2, "trust-anchors"),
                ("dnssec:\n  enabled: perhaps\n", 2, "enabled"),
                ("resolution: {qname-minimization: some}\n", 1, "qname-minimization"),
                ("root-hints: /nonexistent/hints\n", 1, "root-hints"),
                ("log: {level: loud}\n", 1, "level"),
                ("listen: [\n", None, None)):
            with self.subTest(text):
                status, said = self.check(text)
                self.assertEqual(status, EX_CONFIG, said)
                self.assertEqual(len(said.strip().splitlines()), 1, said)
                self.assertIn("check.yaml", said)
                if line:
                    self.assertRegex(said, rf"check\.yaml:{line}\b")
                if key:
                    self.assertIn(key, said)

    def test_missing(self):
        done = self.daemon.run("--check", "--config", "/nonexistent/resolverd.yaml")
        self.assertEqual(done.returncode, EX_CONFIG)
        self.assertIn("/nonexistent/resolverd.yaml", done.stderr)

    def test_usage(self):
        self.assertEqual(self.daemon.run("--no-such-option").returncode, 64)

    def test_not_started(self):
        """With a bad configuration the daemon does not start either."""
        path = os.path.join(self.net.dir, "bad.yaml")
        with open(path, "w") as out:
            out.write("wrokers: 2\n")
        self.assertEqual(self.daemon.run("--config", path, "--foreground").returncode, EX_CONFIG)

    def test_address_in_use(self):
        """A clear word and a failure, not a daemon that serves half."""
        other = self.net.resolver()
        done = other.run("--config", other.file, "--foreground")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("127.0.0.1:53", done.stderr)


class Life(case.DaemonCase):
    """Each test starts and ends daemons of its own on another address."""
    config = {"listen": ["127.0.0.3:53"]}
    options = {"address": "127.0.0.3"}

    def another(self, config=None):
        daemon = self.net.resolver(config, address="127.0.0.2").start()
        self.addCleanup(lambda: daemon.process and daemon.stop())
        return daemon

    def test_terminate(self):
        """SIGTERM and SIGINT end it at once and cleanly, with connections and questions open."""
        for number in signal.SIGTERM, signal.SIGINT:
            daemon = self.another()
            idle = socket.create_connection(("127.0.0.2", 53))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.sendto(self.query("www.dead.org").to_wire(), ("127.0.0.2", 53))
                time.sleep(0.1)
                begin = time.monotonic()
                daemon.process.send_signal(number)
                self.assertEqual(daemon.process.wait(5), 0, daemon.said())
                self.assertLess(time.monotonic() - begin, 1.0)
            idle.close()
            daemon.stop()

    def test_restart(self):
        """At once on the same addresses, with connections of clients left behind."""
        for _ in range(3):
            daemon = self.another()
            with socket.create_connection(("127.0.0.2", 53)) as sock:
                sock.sendall(case.framed(self.query("www.signed.org")))
                case.read_messages(sock, 1)
                daemon.stop()

    def test_reload(self):
        """SIGHUP: a good configuration takes effect, a bad one is told and changes nothing."""
        daemon = self.another()
        self.assertData(self.ask("www.signed.org", address="127.0.0.2"), "198.18.1.1")
        sock = socket.create_connection(("127.0.0.2", 53))
        self.addCleanup(sock.close)
        daemon.configure({"access": {"allow": ["192.0.2.0/24"]}})
        daemon.reload()
        self.until(lambda: self.ask("www.signed.org", address="127.0.0.2").rcode() == 5)
        with open(daemon.file, "w") as out:
            out.write("wrokers: 1\n")
        daemon.reload()
        self.until(lambda: "wrokers" in daemon.said())
        self.assertStatus(self.ask("www.signed.org", address="127.0.0.2"), "REFUSED")
        daemon.configure({})
        daemon.reload()
        self.until(lambda: self.ask("www.signed.org", address="127.0.0.2").rcode() == 0)
        sock.sendall(case.framed(self.query("www.signed.org")))
        self.assertEqual(len(case.read_messages(sock, 1)), 1, "connections outlive a reload")

    def test_reload_keeps_the_cache(self):
        daemon = self.another()
        self.ask("www.signed.org", address="127.0.0.2")
        daemon.reload()
        time.sleep(0.3)
        self.net.clear_queries()
        self.assertData(self.ask("www.signed.org", address="127.0.0.2"), "198.18.1.1")
        self.assertEqual(self.net.queries("www.signed.org."), [])


    def late_server(self, address):
        """A forwarder at ADDRESS that knows 192.0.2.66 for every name, after a second and more."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((address, 53))
        self.addCleanup(sock.close)

        def send(*reply):
            with contextlib.suppress(OSError):      # the test is over
                sock.sendto(*reply)

        def serve():
            while True:
                try:
                    packet, client = sock.recvfrom(4096)
                except OSError:
                    return
                reply = dns.message.make_response(dns.message.from_wire(packet),
                                                  recursion_available=True)
                question = reply.question[0]
                if question.rdtype == dns.rdatatype.A:
                    reply.answer.append(dns.rrset.from_text(question.name, 3600, "IN", "A",
                                                            "192.0.2.66"))
                threading.Timer(1.6, send, (reply.to_wire(), client)).start()
        threading.Thread(target=serve, daemon=True).start()

    def test_reload_while_a_question_is_open(self):
        """What a question brings that began under the old configuration is not kept under the new."""
        self.late_server("127.0.0.66")
        daemon = self.another({"forward-zones": [{"name": "plain.com.", "servers": ["127.0.0.66"],
                                                  "insecure": True}]})
        asked = self.query("www.plain.com")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect(("127.0.0.2", 53))
            sock.settimeout(5)
            sock.send(asked.to_wire())
            time.sleep(0.3)
            daemon.configure({})
            daemon.reload()
            self.until(lambda: "configuration reloaded" in daemon.said())
            self.assertData(dns.message.from_wire(sock.recv(4096)), "192.0.2.66")
        self.until(lambda: [r.to_text() for r in self.ask(
            "www.plain.com", address="127.0.0.2").answer[-1]] == ["198.18.1.1"])


class StatePath(case.FreshCase):
    """cache.path, as far as it is there or not."""

    def begin(self, *parts, **config):
        """A daemon whose cache.path ends with PARTS, none of which exists; that path."""
        daemon = self.net.resolver({**config, "listen": ["127.0.0.2:53"]}, address="127.0.0.2")
        path = os.path.join(daemon.dir, *parts)
        daemon.configure({**config, "listen": ["127.0.0.2:53"], "cache": {
            "memory": "16M", "disk": "16M", "path": path}})
        daemon.start()
        self.addCleanup(daemon.stop)
        self.daemon = daemon
        return path

    def disk(self):
        control = Varlink(os.path.join(self.daemon.dir, "control.sock"))
        try:
            return control.call("Status")["cache"]["disk"]["state"]
        finally:
            control.close()

    def test_last_part_is_made(self):
        path = self.begin("new")
        self.until(lambda: self.disk() == "good")
        self.assertEqual(os.stat(path).st_mode & 0o777, 0o700)
        self.assertSaid(f"directory made path={path}")

    def test_no_more_is_made(self):
        """What lacks more is perhaps a disk that is not mounted yet."""
        path = self.begin("not-mounted", "new")
        self.until(lambda: self.disk() != "good" and "not-mounted" in self.daemon.said())
        self.assertFalse(os.path.exists(os.path.dirname(path)))

    def test_for_its_account(self):
        """Made by root, it is the account's that the daemon takes."""
        if os.getuid() != 0:
            self.skipTest("only root can take another account")
        with open("/proc/self/uid_map") as ids:
            if ids.read().split()[2] == "1":
                self.skipTest("this namespace has one account only")
        os.chmod(self.net.dir, 0o755)
        path = self.begin("new", sandbox={"user": "nobody"})
        self.until(lambda: os.path.exists(path + "/data.mdb"))
        self.assertEqual(os.stat(path).st_uid, pwd.getpwnam("nobody").pw_uid)


class Wildcard(case.DaemonCase):
    config = {"listen": ["0.0.0.0:5399", "[::]:5399", "127.0.0.1:53"]}

    def test_source_address(self):
        """A reply leaves from the address that was asked."""
        for address in "127.0.0.1", "127.0.0.9", "192.0.2.53", "10.9.9.9", "::1", "2001:db8:2::53":
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as sock:
                sock.settimeout(2)
                sock.connect((address, 5399))       # takes replies from there only
                sock.send(self.query("www.signed.org").to_wire())
                with self.subTest(address):
                    self.assertGreater(len(sock.recv(4096)), 12)
