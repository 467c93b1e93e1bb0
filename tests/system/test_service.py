"""Under a service manager: what it is told, sockets that outlive the daemon, the watchdog."""
import ctypes
import os
import socket
import threading
import time

import dns.message

import case

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17


class Manager:
    """The other end of sd_notify(3)."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)

    def heard(self, word, timeout_s):
        """The first message with WORD as one of its lines, or None."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                message = self.socket.recv(4096).decode()
            except socket.timeout:
                return None
            if word in message.splitlines():
                return message
        return None

    def forget(self):
        """What has been said so far."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(4096):
                pass
        except BlockingIOError:
            pass


class ServiceCase(case.FreshCase):
    """A daemon per test, started with what the test wants."""
    def begin(self, environment=None, sockets=(), **config):
        self.daemon = self.net.resolver(config)
        self.manager = Manager(self.daemon.dir)
        self.addCleanup(self.manager.socket.close)
        if sockets:
            self.daemon.pass_on(sockets)
        words = {"NOTIFY_SOCKET": self.manager.path, **(environment or {})}
        self.daemon.command = ["env", *(f"{k}={v}" for k, v in words.items()),
                               *self.daemon.command]
        self.addCleanup(self.end)
        self.daemon.start(wait=False)
        self.assertIsNotNone(self.manager.heard("READY=1", 10), self.daemon.said())

    def end(self):
        if self.daemon.process:
            self.assertEqual(self.daemon.stop(), 0, self.daemon.said()[-2000:])


class Told(ServiceCase):
    def test_life(self):
        """Ready, a reload, a reload that is refused, the end: each is told."""
        self.begin()
        self.ask("www.plain.com")
        self.daemon.reload()
        self.assertIsNotNone(self.manager.heard("RELOADING=1", 5))
        self.assertIn("STATUS=serving", self.manager.heard("READY=1", 5).splitlines())
        with open(self.daemon.file, "a") as config:
            config.write("nonsense: 1\n")
        self.daemon.reload()
        self.assertIn("refused", self.manager.heard("READY=1", 5))
        self.assertEqual(self.daemon.stop(), 0)
        self.assertIsNotNone(self.manager.heard("STOPPING=1", 5))


class Watchdog(ServiceCase):
    @case.slow
    def test_stuck_worker(self):
        """Fed while every worker turns, and no more when one does not."""
        self.begin({"WATCHDOG_USEC": "1000000"})
        self.manager.forget()
        self.assertIsNotNone(self.manager.heard("WATCHDOG=1", 3))
        tasks = f"/proc/{self.daemon.process.pid}/task"
        worker = next(int(t) for t in os.listdir(tasks)
                      if open(f"{tasks}/{t}/comm").read().startswith("worker"))
        ptrace = ctypes.CDLL(None, use_errno=True).ptrace
        self.assertEqual(ptrace(PTRACE_SEIZE, worker, 0, 0), 0)
        self.assertEqual(ptrace(PTRACE_INTERRUPT, worker, 0, 0), 0)
        os.waitpid(worker, 0x40000000)      # __WALL
        try:
            deadline = time.monotonic() + 30
            while self.manager.heard("WATCHDOG=1", 2) and time.monotonic() < deadline:
                pass
            self.assertLess(time.monotonic(), deadline, "fed although a worker stands still")
        finally:
            ptrace(PTRACE_DETACH, worker, 0, 0)
        self.assertIsNotNone(self.manager.heard("WATCHDOG=1", 15))


class Load(threading.Thread):
    """Asks for one name after another, and once only: who answers late or never has lost."""

    def __init__(self, address, names, tcp):
        super().__init__()
        self.address, self.names, self.tcp = address, names, tcp
        self.asked = self.lost = 0
        self.slowest_s = 0.0
        self.ending = False

    def ask_udp(self, wire):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(5)
            sock.connect((self.address, 53))
            sock.send(wire)
            return sock.recv(4096)

    def ask_tcp(self, wire):
        with socket.create_connection((self.address, 53), 5) as sock:
            sock.send(len(wire).to_bytes(2, "big") + wire)
            reply = b""
            while len(reply) < 14:
                part = sock.recv(4096)
                if not part:
                    raise ConnectionError
                reply += part
            return reply[2:]

    def run(self):
        while not self.ending:
            query = dns.message.make_query(self.names[self.asked % len(self.names)], "A")
            begin = time.monotonic()
            try:
                reply = (self.ask_tcp if self.tcp else self.ask_udp)(query.to_wire())
                self.lost += reply[3] & 15 != 0
            except OSError:
                self.lost += 1
            self.slowest_s = max(self.slowest_s, time.monotonic() - begin)
            self.asked += 1
            time.sleep(0.001)


class Activation(ServiceCase):
    def sockets(self):
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 53))
        tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        tcp.bind(("127.0.0.1", 53))
        tcp.listen(1024)
        self.addCleanup(udp.close)
        self.addCleanup(tcp.close)
        return udp, tcp

    def test_silent_connection(self):
        """Who is connected and has not asked yet when the end begins is answered still; who connects
        then, by the next daemon."""
        self.begin(sockets=self.sockets(), workers=1)
        self.ask("www.plain.com")
        query = case.framed(self.query("www.plain.com"))
        before = self.connect()
        time.sleep(0.2)                         # it is accepted
        self.daemon.process.terminate()
        self.assertIsNotNone(self.manager.heard("STOPPING=1", 5))
        after = self.connect()
        after.sendall(query)
        before.sendall(query)
        self.assertData(case.read_messages(before, 1)[0], "198.18.1.1")
        before.close()
        self.assertEqual(self.daemon.stop(), 0)
        self.daemon.start(wait=False)
        self.assertData(case.read_messages(after, 1)[0], "198.18.1.1")
        self.assertIsNotNone(self.manager.heard("READY=1", 10))     # before it is told to end

    @case.slow
    def test_restart_under_load(self):
        """Restarts lose no query, over UDP or on new TCP connections, hit or miss."""
        self.begin(sockets=self.sockets(), workers=2)
        names = ["www.plain.com", "www.signed.com"] + [f"n{i}.unsigned.org" for i in range(500)]
        load = [Load("127.0.0.1", names, tcp) for tcp in (False, True)]
        for thread in load:
            thread.start()
        try:
            for _ in range(5):
                time.sleep(0.4)
                self.assertEqual(self.daemon.stop(), 0, self.daemon.said()[-2000:])
                self.daemon.start(wait=False)
                self.assertIsNotNone(self.manager.heard("READY=1", 10))
            time.sleep(0.3)
        finally:
            for thread in load:
                thread.ending = True
            for thread in load:
                thread.join()
        for thread in load:
            kind = "TCP" if thread.tcp else "UDP"
            self.assertGreater(thread.asked, 100)
            self.assertEqual(thread.lost, 0, f"{kind}: of {thread.asked}; slowest "
                                             f"{thread.slowest_s:.3f} s")
