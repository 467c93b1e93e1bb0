"""What the system drops because nobody reads it in time."""
import os
import signal
import socket
import time

import case
from control import Ctl


class Drops(case.DaemonCase):
    config = {"workers": 2}

    def counters(self):
        return Ctl(self.net, self.daemon).json("stats")["counters"]

    @case.slow
    def test_full_socket(self):
        """A daemon that stands still loses queries, and tells afterwards."""
        self.assertEqual(self.counters()["udp_receive_drops_total"], 0)
        pid = self.daemon.process.pid
        sent = 0
        os.kill(pid, signal.SIGSTOP)
        try:
            # From several ports: the kernel spreads them over the sockets of both workers.
            for _ in range(8):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                    sock.connect((self.daemon.address, 53))
                    for _ in range(4000):
                        sock.send(b"\0" * 1200)
                        sent += 1
        finally:
            os.kill(pid, signal.SIGCONT)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            now = self.counters()
            lost, read = now["udp_receive_drops_total"], now["queries_udp_total"]
            if lost and lost + read >= sent:
                break
            time.sleep(0.1)
        self.assertGreater(lost, 0)
        self.assertIn(lost + read - sent, range(10), f"{lost} {read} {sent}")   # it asks itself
        self.assertData(self.ask("www.signed.org"), "198.18.1.1")
