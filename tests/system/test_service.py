"""Under a service manager: what it is told, sockets that outlive the daemon, the watchdog."""
import collections
import os
import socket
import threading
import time

import dns.message
import dns.query

import case


class Manager:
    """The other end of sd_notify(3), which keeps what it is given."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.kept = {}          # name -> socket

    def receive(self):
        message, fds, _, _ = socket.recv_fds(self.socket, 4096, 8)
        lines = message.decode().splitlines()
        name = next((line[7:] for line in lines if line.startswith("FDNAME=")), "stored")
        if "FDSTORE=1" in lines and "FDPOLL=0" in lines and len(fds) == 1:
            self.kept[name] = socket.socket(fileno=fds.pop())
        if "FDSTOREREMOVE=1" in lines and name in self.kept:
            self.kept.pop(name).close()
        for fd in fds:          # of a barrier (sd_notify_barrier(3))
            os.close(fd)
        return message.decode()

    def heard(self, word, timeout_s):
        """The first message with WORD as one of its lines, or None."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                message = self.receive()
            except socket.timeout:
                return None
            if word in message.splitlines():
                return message
        return None

    def forget(self):
        """What has been said so far."""
        self.socket.setblocking(False)
        try:
            while self.receive():
                pass
        except BlockingIOError:
            pass

    def close(self):
        for sock in [self.socket, *self.kept.values()]:
            sock.close()


class ServiceCase(case.FreshCase):
    """A daemon per test, started with what the test wants."""
    def begin(self, environment=None, sockets=(), **config):
        self.daemon = self.net.resolver(config)
        self.manager = Manager(self.daemon.dir)
        self.addCleanup(self.manager.close)
        if sockets:
            self.daemon.pass_on(sockets)
        words = {"NOTIFY_SOCKET": self.manager.path, **(environment or {})}
        self.daemon.command = ["env", *(f"{k}={v}" for k, v in words.items()),
                               *self.daemon.command]
        self.addCleanup(self.end)
        self.start()

    def start(self):
        self.daemon.start(wait=False)
        self.assertIsNotNone(self.manager.heard("READY=1", 10), self.daemon.said())

    def restart_under_load(self):
        names = ["www.plain.com", "www.signed.com"] + [f"n{i}.unsigned.org" for i in range(500)]
        load = [Load("127.0.0.1", names, tcp) for tcp in (False, True)]
        for thread in load:
            thread.start()
        try:
            for _ in range(5):
                time.sleep(0.4)
                self.assertEqual(self.daemon.stop(), 0, self.daemon.said()[-2000:])
                self.start()
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
        with case.held_worker(self.daemon.process.pid):
            deadline = time.monotonic() + 30
            while self.manager.heard("WATCHDOG=1", 2) and time.monotonic() < deadline:
                pass
            self.assertLess(time.monotonic(), deadline, "fed although a worker stands still")
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
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)   # connections of the class before
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
        self.restart_under_load()


class Kept(ServiceCase):
    """Sockets of its own that the service manager keeps for the next one."""
    def begin(self, room=64, **config):
        super().begin({"FDSTORE": str(room)}, **config)
        self.manager.forget()

    def again(self, **config):
        """Ended, and started with what is kept."""
        if self.daemon.process:
            self.assertEqual(self.daemon.stop(), 0, self.daemon.said()[-2000:])
        self.manager.forget()
        if config:
            self.reconfigure(**config)
        self.start()
        self.manager.forget()

    def reconfigure(self, **config):
        command = self.daemon.command
        self.daemon.configure(config)
        self.daemon.command = command

    def reload(self):
        self.daemon.reload()
        self.assertIsNotNone(self.manager.heard("READY=1", 5))
        self.manager.forget()

    def start(self):
        self.daemon.pass_on(self.manager.kept.values(), list(self.manager.kept))
        super().start()

    def places(self):
        """How many are kept of each (address, TCP)."""
        return collections.Counter((s.getsockname()[0], s.type == socket.SOCK_STREAM)
                                   for s in self.manager.kept.values())

    def assertAllAnswered(self, count=24):
        """Also where the kernel spreads them over many sockets."""
        for tcp in False, True:
            for _ in range(count):
                self.assertData(self.ask("www.plain.com", tcp=tcp), "198.18.1.1")

    def test_asked_meanwhile(self):
        """What is asked while there is no daemon is answered by the next."""
        self.begin(workers=2)
        self.assertEqual(self.places(), {("127.0.0.1", False): 2, ("127.0.0.1", True): 2})
        kept = set(self.manager.kept)
        self.assertEqual(self.daemon.stop(), 0)
        query = self.query("www.plain.com")
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(udp.close)
        udp.settimeout(5)
        udp.connect(("127.0.0.1", 53))
        udp.send(query.to_wire())
        tcp = self.connect()
        tcp.sendall(case.framed(query))
        self.again()
        self.assertData(dns.message.from_wire(udp.recv(4096)), "198.18.1.1")
        self.assertData(case.read_messages(tcp, 1)[0], "198.18.1.1")
        self.assertEqual(set(self.manager.kept), kept, "those are used, not others beside them")

    def test_other_workers(self):
        """Fewer workers read all that is kept; more have one each."""
        self.begin(workers=4)
        self.again(workers=1)
        self.assertAllAnswered()
        self.assertEqual(self.places()["127.0.0.1", False], 4)
        self.again(workers=6)
        self.assertAllAnswered()
        self.assertEqual(self.places(), {("127.0.0.1", False): 6, ("127.0.0.1", True): 6})

    @staticmethod
    def refused():
        try:
            socket.create_connection(("127.0.0.2", 53), 5).close()
        except ConnectionRefusedError:
            return True
        except ConnectionResetError:
            pass    # it was closed in this moment
        return False

    def given_up(self, restart):
        both = ["127.0.0.1:53", "127.0.0.2:53"]
        self.begin(workers=1, listen=both)
        self.again()            # what is given up was there before
        self.assertEqual(self.places()["127.0.0.2", True], 1)
        if restart:
            self.again(workers=1, listen=both[:1])
        else:
            self.reconfigure(workers=1, listen=both[:1])
            self.reload()
        self.assertEqual(self.places(), {("127.0.0.1", False): 1, ("127.0.0.1", True): 1})
        self.until(self.refused)
        self.assertAllAnswered(1)
        self.reconfigure(workers=1, listen=both)
        self.reload()
        self.assertEqual(set(self.places().values()), {1})
        self.assertEqual(len(self.places()), 4)
        self.assertNotIn("sandbox refused", self.daemon.said())

    def test_given_up_by_reload(self):
        """What is not listened at any more does not stay open, unread."""
        self.given_up(restart=False)

    def test_given_up_at_restart(self):
        self.given_up(restart=True)

    def test_wildcard(self):
        """In place of one address, and back: what was kept is not in the way."""
        self.begin(workers=2, listen=["127.0.0.1:53", "127.0.0.1:5399"])
        for address in "0.0.0.0", "127.0.0.1":
            self.again(workers=2, listen=["127.0.0.1:53", f"{address}:5399"])
            names = sorted(s.getsockname() for s in self.manager.kept.values())
            self.assertEqual(names, sorted([(address, 5399), ("127.0.0.1", 53)] * 4))
            self.assertNotIn("cannot listen", self.daemon.said())

    def test_interface_and_wildcard(self):
        """One beside or in place of the other: no socket stays to which what is read by none comes."""
        self.begin(workers=1, listen=["127.0.0.1:53", "lo:5399"])
        for listen, wanted in ((["lo:5399", "0.0.0.0:5399"], {"0.0.0.0"}),
                               (["lo:5399"], {"127.0.0.1"}),
                               (["0.0.0.0:5399"], {"0.0.0.0"})):
            self.again(workers=1, listen=["127.0.0.1:53", *listen])
            names = [s.getsockname() for s in self.manager.kept.values()]
            kept = {name[0] for name in names if name[1] == 5399}
            self.assertEqual(kept & {"0.0.0.0", "127.0.0.1"}, wanted)
            reply = dns.query.udp(self.query("www.plain.com"), "127.0.0.1", 5, port=5399)
            self.assertData(reply, "198.18.1.1")

    def test_no_room(self):
        """No more than it takes; those that find no room answer as ever."""
        self.begin(room=1, workers=2)
        self.assertEqual(len(self.manager.kept), 1)
        self.assertAllAnswered()
        self.again()
        self.assertAllAnswered()

    def test_shared_address(self):
        """Not those of node-local: while one instance restarts, another has to get all queries."""
        address = "169.254.20.53"
        self.begin(workers=1, **{"node-local": {"interface": "lo", "addresses": [address]}})
        self.assertData(self.ask("www.plain.com", address=address), "198.18.1.1")
        self.assertEqual(self.places(), {("127.0.0.1", False): 1, ("127.0.0.1", True): 1})

    @case.slow
    def test_restart_under_load(self):
        """Restarts lose no query, over UDP or on new TCP connections, hit or miss."""
        self.begin(workers=2)
        self.restart_under_load()
