"""The wire between a resolver and the authoritative servers of the lab.

A Wire listens on port 53 of each server's addresses and passes messages on to the server itself,
which listens on another port of the same address. On the way it counts and logs queries, delays or
drops packets, and may replace a reply. (The kernel's netem would be simpler; few test machines have
it, and an unprivileged namespace never does.)

One thread carries all UDP; each TCP connection has a thread of its own.
"""
import heapq
import random
import selectors
import socket
import struct
import threading
import time

import dns.rdatatype

BACKEND_PORT = 5300
LATE_S = 6      # as a cloud provider's resolver now and then


class Query:
    """A query that was seen: when, to which server, what, how."""

    def __init__(self, server, wire_format, tcp):
        self.time = time.monotonic()
        self.server = server
        self.tcp = tcp
        self.message = wire_format
        self.name, number = question(wire_format)
        self.type = dns.rdatatype.to_text(number)

    def __repr__(self):
        return f"{self.server} {self.name} {self.type} {'tcp' if self.tcp else 'udp'}"


def question(message):
    """Name (lower case, text) and type number of a message's question; ("", 0) if there is none."""
    labels, at = [], 12
    try:
        while message[at]:
            labels.append(message[at + 1:at + 1 + message[at]].decode("latin-1").lower())
            at += 1 + message[at]
        return ".".join(labels) + ".", struct.unpack_from("!H", message, at + 1)[0]
    except (IndexError, struct.error):
        return "", 0


class Said(bytes):
    """A reply that needs no server. An empty one, over TCP: the connection is closed."""


class Link:
    """One server's side of the wire. Tests set the public fields at any time."""

    def __init__(self, name, addresses):
        self.name = name
        self.addresses = addresses
        self.delay_s = 0.0      # one way
        self.loss = 0.0         # share of packets, each way
        self.late = 0.0         # share of UDP replies that take LATE_S more
        self.silent = False     # drop everything, as a dead host does
        self.meet = None        # meet(query, tcp) -> the query to pass on, or a Said; None to drop
        self.one_answer = False # a TCP connection is closed behind each
        self.edit = None        # edit(reply) -> bytes, list of bytes, or None to drop; UDP and TCP
        self.fronts = []        # UDP sockets towards the resolver
        self.listeners = []     # TCP


class Wire:
    def __init__(self, rng=None):
        self.links = {}
        self.queries = []       # Query, in the order of arrival; the lab clears it
        self.logging = True     # off for benchmarks, where counting is enough
        self.packets = 0        # queries seen, UDP and TCP
        self._rng = rng or random.Random(1)
        self._selector = selectors.DefaultSelector()
        self._due = []          # heap of (time, serial, socket, bytes, address or None)
        self._serial = 0
        self._pending = {}      # (back socket, id) -> (link, front socket, client, its id)
        self._next_id = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="wire")

    # ---- for tests

    def add(self, name, addresses):
        link = Link(name, addresses)
        self.links[name] = link
        self.open(link)
        return link

    def open(self, link):
        for address in link.addresses:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            front, back = (socket.socket(family, socket.SOCK_DGRAM) for _ in range(2))
            for sock in (front, back):
                sock.setblocking(False)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
            front.bind((address, 53))
            back.connect((address, BACKEND_PORT))
            link.fronts += [front, back]
            self._selector.register(front, selectors.EVENT_READ, (link, front, back, True))
            self._selector.register(back, selectors.EVENT_READ, (link, front, back, False))
            listener = socket.create_server((address, 53), family=family, backlog=512)
            link.listeners.append(listener)
            threading.Thread(target=self._accept, args=(link, listener, address, family),
                             daemon=True).start()

    def close(self, link):
        """Packets to this server now meet a closed port (ICMP port unreachable, TCP reset)."""
        for sock in link.fronts:
            self._selector.unregister(sock)
            sock.close()
        for sock in link.listeners:
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()
        link.fronts, link.listeners = [], []

    def start(self):
        self._thread.start()

    def stop(self):
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    # ---- UDP

    def _run(self):
        while not self._stop.is_set():
            wait = 0.05
            if self._due:
                wait = max(0.0, min(wait, self._due[0][0] - time.monotonic()))
            for key, _ in self._selector.select(wait):
                self._drain(*key.data)
            now = time.monotonic()
            while self._due and self._due[0][0] <= now:
                _, _, sock, data, address = heapq.heappop(self._due)
                self._put(sock, data, address)

    def _drain(self, link, front, back, from_resolver):
        for _ in range(64):
            try:
                data, client = (front if from_resolver else back).recvfrom(65535)
            except OSError:     # empty, closed meanwhile, or the server behind is stopped
                return
            if len(data) < 12:
                continue
            if from_resolver:
                self._query(link, front, back, data, client)
            else:
                self._reply(link, back, data)

    def _query(self, link, front, back, data, client):
        self._seen(link, data, tcp=False)
        if link.silent or self._rng.random() < link.loss:
            return
        met = link.meet(data, False) if link.meet else data
        if isinstance(met, Said) and met:
            for reply in self._edited(link, bytes(met)):
                self._send(link, front, reply, client)
        if not met or isinstance(met, Said):
            return
        data = met
        self._next_id = (self._next_id + 1) & 0xffff
        self._pending[back, self._next_id] = (link, front, client, data[:2])
        self._send(link, back, self._next_id.to_bytes(2, "big") + data[2:], None)

    def _reply(self, link, back, data):
        found = self._pending.pop((back, int.from_bytes(data[:2], "big")), None)
        if not found or link.silent or self._rng.random() < link.loss:
            return
        _, front, client, query_id = found
        late_s = LATE_S if self._rng.random() < link.late else 0
        for reply in self._edited(link, query_id + data[2:]):
            self._send(link, front, reply, client, late_s)

    def _send(self, link, sock, data, address, late_s=0):
        if link.delay_s + late_s:
            self._serial += 1
            due = time.monotonic() + link.delay_s + late_s
            heapq.heappush(self._due, (due, self._serial, sock, data, address))
        else:
            self._put(sock, data, address)

    @staticmethod
    def _put(sock, data, address):
        try:
            sock.sendto(data, address) if address else sock.send(data)
        except OSError:         # closed meanwhile, full, or nobody listens: lost, as on a network
            pass

    # ---- TCP

    def _accept(self, link, listener, address, family):
        while True:
            try:
                front, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connection, args=(link, front, address, family),
                             daemon=True).start()

    def _connection(self, link, front, address, family):
        back = socket.socket(family, socket.SOCK_STREAM)
        try:
            time.sleep(2 * link.delay_s)
            while link.silent:
                time.sleep(0.05)
            back.connect((address, BACKEND_PORT))
        except OSError:
            front.close()
            return
        threading.Thread(target=self._pass, args=(link, back, front, False), daemon=True).start()
        self._pass(link, front, back, True)

    def _pass(self, link, source, target, from_resolver):
        try:
            with source.makefile("rb") as stream:
                while True:
                    head = stream.read(2)
                    data = stream.read(int.from_bytes(head, "big"))
                    if len(head) < 2 or not data:
                        break
                    if from_resolver:
                        self._seen(link, data, tcp=True)
                        met = link.meet(data, True) if link.meet else data
                        if isinstance(met, Said):
                            if not met:
                                break
                            source.sendall(len(met).to_bytes(2, "big") + met)
                        if not met or isinstance(met, Said):
                            continue
                        data = met
                    if link.delay_s:
                        time.sleep(link.delay_s)
                    for part in [data] if from_resolver else self._edited(link, data):
                        if not link.silent:
                            target.sendall(len(part).to_bytes(2, "big") + part)
                    if link.one_answer and not from_resolver:
                        break
        except OSError:
            pass
        finally:
            for sock in (source, target):
                try:
                    sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                sock.close()

    # ---- both

    def _seen(self, link, data, tcp):
        self.packets += 1
        if self.logging:
            self.queries.append(Query(link.name, data, tcp))

    @staticmethod
    def _edited(link, reply):
        if not link.edit:
            return [reply]
        edited = link.edit(reply)
        if edited is None:
            return []
        return edited if isinstance(edited, list) else [edited]
