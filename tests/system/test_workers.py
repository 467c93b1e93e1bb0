"""Several workers, one question."""
import select
import socket
import time

import dns.message

import case

CLIENTS, NAMES = 48, 10
DELAY_S = 0.005     # one way: there and back is less than any retransmission time


class Workers(case.DaemonCase):
    config = {"workers": 4, "prefetch": {"enabled": False}, "resolution": {"ipv6": False}}

    def test_one_question(self):
        """Clients of all workers want the same new name at once: its servers are asked once."""
        for server in self.net.servers.values():
            if server.link:
                server.link.delay_s = DELAY_S
        self.addCleanup(self.net.heal)
        self.assertData(self.ask("www.pair.org"), "198.18.1.1")      # the way there is known
        time.sleep(0.2)
        self.net.clear_queries()
        for number in range(NAMES):
            self.ask_at_once(f"n{number}.pair.org.", f"198.18.0.{number + 1}")
        asked = [q for q in self.net.queries(rrtype="A") if q.name.startswith("n")]
        # A busy machine may keep a worker waiting until another's claim has run out, or make a packet
        # late: seldom.
        self.assertLess(len(asked), 2 * NAMES, asked)

    def ask_at_once(self, name, wanted):
        socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(CLIENTS)]
        wire = self.query(name).to_wire()
        try:
            for sock in socks:      # the system spreads their ports over the workers
                sock.connect((self.daemon.address, 53))
                sock.send(wire)
            waiting, deadline = list(socks), time.monotonic() + 5
            while waiting and time.monotonic() < deadline:
                for sock in select.select(waiting, [], [], 0.1)[0]:
                    self.assertData(dns.message.from_wire(sock.recv(4096)), wanted)
                    waiting.remove(sock)
            self.assertFalse(waiting)
        finally:
            for sock in socks:
                sock.close()
