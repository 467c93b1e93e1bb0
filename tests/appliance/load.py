"""Clients that ask at a steady rate whether they are answered or not, each question once only, over
UDP and on new TCP connections. Who is answered late is served; who is not has lost."""
import selectors
import socket
import threading
import time

import dns.message

PATIENCE_S = 8      # of the last who have asked; a start takes less


class Question:
    def __init__(self, flow, wire):
        self.flow, self.wire = flow, wire
        self.sent = time.monotonic()
        self.took_s = None      # None: not answered
        self.rcode = None

    def answered(self, reply):
        self.took_s = time.monotonic() - self.sent
        self.rcode = reply[3] & 15


class Load(threading.Thread):
    """FLOWS: (address, tcp) each of which gets RATE questions a second, for NAMES in a circle."""

    def __init__(self, flows, names, rate=150):
        super().__init__(daemon=True)
        self.flows, self.names, self.interval_s = flows, names, 1 / rate
        self.questions = []
        self.ending = threading.Event()
        self.selector = selectors.DefaultSelector()
        self.udp = {}           # (socket, id) -> question
        self.sockets = {}       # flow -> UDP socket
        for flow in flows:
            if not flow[1]:
                self.sockets[flow] = sock = self.open(flow, socket.SOCK_DGRAM)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                sock.connect((flow[0], 53))
                self.selector.register(sock, selectors.EVENT_READ, None)

    @staticmethod
    def open(flow, kind):
        sock = socket.socket(socket.AF_INET6 if ":" in flow[0] else socket.AF_INET, kind)
        sock.setblocking(False)
        return sock

    # ---- asking

    def ask(self, flow):
        number = len(self.questions)
        message = dns.message.make_query(self.names[number % len(self.names)], "A")
        message.id = number & 0xffff
        question = Question(flow, message.to_wire())
        self.questions.append(question)
        if flow[1]:
            sock = self.open(flow, socket.SOCK_STREAM)
            sock.connect_ex((flow[0], 53))
            self.selector.register(sock, selectors.EVENT_WRITE, [question, b""])
            return
        self.udp[self.sockets[flow], message.id] = question
        try:
            self.sockets[flow].send(question.wire)
        except OSError:         # nobody is there (ICMP): it is lost
            pass

    def handle_udp(self, sock):
        try:
            while True:
                reply = sock.recv(4096)
                question = self.udp.pop((sock, int.from_bytes(reply[:2], "big")), None)
                if question:
                    question.answered(reply)
        except OSError:
            pass

    def handle_tcp(self, sock, state):
        question, reply = state
        try:
            if self.writing(sock):
                sock.getpeername()      # OSError: not connected
                sock.send(len(question.wire).to_bytes(2, "big") + question.wire)
                self.selector.modify(sock, selectors.EVENT_READ, state)
                return
            part = sock.recv(4096)
            state[1] = reply + part
            if len(state[1]) >= 14:
                question.answered(state[1][2:])
            elif part:
                return
        except BlockingIOError:
            return
        except OSError:         # refused, reset: it is lost
            pass
        self.selector.unregister(sock)
        sock.close()

    def writing(self, sock):
        return self.selector.get_key(sock).events & selectors.EVENT_WRITE

    def waiting(self):
        return len(self.selector.get_map()) > len(self.sockets) or self.udp

    def run(self):
        due, end = time.monotonic(), None
        while end is None or self.waiting() and time.monotonic() < end:
            if end is None and self.ending.is_set():
                end = time.monotonic() + PATIENCE_S
            if end is None and time.monotonic() >= due:
                for flow in self.flows:
                    self.ask(flow)
                due += self.interval_s
            wait = self.interval_s if end else max(0, due - time.monotonic())
            for key, _ in self.selector.select(wait):
                if key.data:
                    self.handle_tcp(key.fileobj, key.data)
                else:
                    self.handle_udp(key.fileobj)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()

    # ---- what came of it

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.join()

    def lost(self, before=None, since=None):
        """Questions without an answer, of those asked before or since a time."""
        return [q for q in self.questions if q.rcode != 0
                and (before is None or q.sent < before) and (since is None or q.sent >= since)]

    def told(self):
        """For a test's message."""
        text = []
        for flow in self.flows:
            of = [q for q in self.questions if q.flow == flow]
            lost = [q for q in of if q.rcode != 0]
            slowest = max((q.took_s for q in of if q.took_s is not None), default=0)
            text.append(f"{flow[0]} {'TCP' if flow[1] else 'UDP'}: {len(lost)} of {len(of)} lost, "
                        f"slowest {slowest:.2f} s, rcodes {sorted({str(q.rcode) for q in lost})}")
        return "; ".join(text)
