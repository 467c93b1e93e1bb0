"""The daemon is killed at random moments under load; what it serves afterwards is the truth."""
import os
import random
import select
import socket
import threading
import time

import case
import dns.flags
import dns.message
import dns.query
import test_restart

KILLS = int(os.environ.get("KILLS", "0"))   # 0: as many as a run has time for
CHECKED = 40            # questions after each start
ALIVE_S = 0.05, 2.2       # commits come once a second, so that some are cut off at any point


class Crash(test_restart.RestartCase):
    config = {"prefetch": {"enabled": False}, "log": {"level": "notice"}}
    options = {"threads": 2}
    SETS = [(f"n{i}.{zone}.org", "A") for zone in ("signed", "unsigned") for i in range(1000)]
    QUESTIONS = SETS + \
        [(f"n{i}.signed.org", "AAAA") for i in range(300)] + \
        [(f"nothing{i}.signed.org", "A") for i in range(300)] + \
        [(f"nothing{i}.nsec3.org", "A") for i in range(100)] + \
        [(f"any{i}.wild.org", "A") for i in range(100)] + \
        [("chain1.signed.org", "A"), ("chain1.plain.com", "A"), ("text.signed.com", "TXT")]

    def setUp(self):
        super().setUp()
        self.random = random.Random(case.SEED)
        self.truths = {}
        self.on_disk = {}       # those of SETS, which nothing else makes, and when they expire

    def truth(self, question):
        """What an authoritative server says: status and records, without signatures."""
        if question not in self.truths:
            zone = ".".join(question[0].split(".")[-2:]) + "."
            server = next(s for s in self.net.servers.values()
                          for z in s.zones if z.name == zone and s.kind == "nsd")
            address = next(a for a in server.addresses if ":" not in a)
            reply = dns.query.udp(self.query(*question, do=True), address, 5)
            self.truths[question] = reply.rcode(), sorted(case.data(reply))
        return self.truths[question]

    def ask_on(self, stop):
        """Ask for this and that, and read answers so that nothing is held up."""
        dice = random.Random(self.random.random())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.connect((self.daemon.address, 53))
            while not stop.is_set():
                try:
                    for _ in range(4):
                        name, rrtype = dice.choice(self.QUESTIONS)
                        sock.send(self.query(name, rrtype, do=dice.random() < 0.5).to_wire())
                    while select.select([sock], [], [], 0.002)[0]:
                        sock.recv(4096)
                except OSError:
                    pass        # it has been killed

    def live(self):
        """One life, from after the start to a SIGKILL at some moment."""
        stop = threading.Event()
        clients = [threading.Thread(target=self.ask_on, args=(stop,)) for _ in range(2)]
        for client in clients:
            client.start()
        try:
            stop.wait(self.random.uniform(*ALIVE_S))
            self.kill()
        finally:
            stop.set()
            for client in clients:
                client.join()

    def check(self, question):
        self.net.clear_queries()
        reply = self.ask(*question, do=True, ad=True)
        self.assertEqual((reply.rcode(), sorted(case.data(reply))), self.truth(question),
                         f"{question} {reply.to_text()}")
        signed = not question[0].endswith(("unsigned.org", "plain.com"))
        self.assertFlag(reply, "AD", signed)
        if question not in self.SETS:
            return      # may be made of other denials and wildcards
        if not self.net.queries(name=question[0] + "."):
            self.on_disk[question] = time.monotonic() + reply.answer[0].ttl
        elif self.on_disk.get(question, 0) > time.monotonic():
            self.fail(f"{question} was on disk after a start, and is not any more")

    def test_killed_under_load(self):
        """No damage, nothing but the truth, and what was committed stays."""
        self.daemon.start()
        kills = KILLS or (5 if case.QUICK else 30)
        for _ in range(kills):
            self.live()
            self.daemon.start()
            known = [q for q, until in self.on_disk.items() if until > time.monotonic()]
            known = self.random.sample(known, min(CHECKED // 2, len(known)))
            for question in known + self.random.sample(self.QUESTIONS, CHECKED // 2):
                self.check(question)
        self.check_committed()
        self.assertEqual(self.disk()["state"], "good")
        self.assertNotRegex(self.daemon.said(), "damaged|moved aside")

    def disk(self):
        control = self.control()
        try:
            return control.call("Status")["cache"]["disk"]
        finally:
            control.close()

    def check_committed(self):
        """What has been committed when it is killed is there after the start, on a machine however
        slow."""
        asked = self.random.sample(self.SETS, CHECKED)
        for question in asked:
            self.check(question)
        self.until(lambda: self.disk()["pending_entries"] == 0)
        self.kill()
        self.daemon.start()
        self.on_disk.clear()
        for question in asked:
            self.check(question)
        self.assertEqual(set(self.on_disk), set(asked))
