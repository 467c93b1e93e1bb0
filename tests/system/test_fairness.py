"""Clients that are greedy, and those beside them."""
import socket
import threading
import time

import dns.flags
import dns.rcode

import case
from test_forward import UPSTREAM, ForwardCase, zone

GREEDY, MODEST = "127.0.0.5", "127.0.0.6"


class Line(ForwardCase):
    config = {"forward-zones": [zone("corp.internal.", UPSTREAM, insecure=True,
                                     **{"rate-limit": 50})]}

    def test_line(self):
        """A client that asks six times what the server of a zone takes: another's questions there are
        answered."""
        stop = threading.Event()

        def flood():
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.bind((GREEDY, 0))
                sock.connect((self.daemon.address, 53))
                for i in range(2000):
                    if stop.wait(1 / 300):
                        return
                    try:
                        sock.send(self.query(f"g{i}.corp.internal").to_wire())
                    except ConnectionError:
                        pass
        thread = threading.Thread(target=flood)
        thread.start()
        time.sleep(1)       # the line is as long as it gets
        try:
            replies = []
            for i in range(15):
                replies.append(self.ask(f"m{i}.corp.internal", source=MODEST))
                time.sleep(0.1)
        finally:
            stop.set()
            thread.join()
        statuses = {dns.rcode.to_text(r.rcode()) for r in replies}
        self.assertNotIn("SERVFAIL", statuses)


class Responses(case.DaemonCase):
    config = {"access": {"allow": ["any"], "trusted": [MODEST], "response-rate": 20}}

    def test_rate(self):
        """What goes to a network of strangers past the rate is no larger than what came, and says that TCP
        will do."""
        self.ask("www.signed.org")
        replies = self.ask_all([self.query("www.signed.org", do=True) for _ in range(200)], 3)
        self.assertEqual(len(replies), 200)
        cut = [r for r in replies if r.flags & dns.flags.TC]
        self.assertGreater(len(cut), 100)
        for reply in cut:
            self.assertFalse(reply.answer or reply.authority)
        self.assertData(self.ask("www.signed.org", tcp=True), "198.18.1.1")
        for _ in range(100):
            self.assertData(self.ask("www.signed.org", source=MODEST), "198.18.1.1")
