"""A Varlink client of the tests' own, and the resolverctl of the build."""
import json
import os
import re
import socket
import subprocess

INTERFACE = "io.resolverd"


class VarlinkError(Exception):
    def __init__(self, name, parameters):
        super().__init__(f"{name} {parameters}")
        self.name, self.parameters = name, parameters


class Varlink:
    """One connection: a call's replies, one after the other."""

    def __init__(self, path, timeout=10):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(timeout)
        self.sock.connect(path)
        self.stream = self.sock.makefile("rb")

    def close(self):
        self.stream.close()
        self.sock.close()

    def send(self, method, more=False, **parameters):
        call = {"method": method if method.startswith("org.") else f"{INTERFACE}.{method}",
                "parameters": parameters}
        if more:
            call["more"] = True
        self.sock.sendall(json.dumps(call).encode() + b"\0")

    def receive(self):
        """The next reply and whether more will come; None when the connection was closed."""
        message = bytearray()
        while not message.endswith(b"\0"):
            byte = self.stream.read(1)
            if not byte:
                return None
            message += byte
        reply = json.loads(message[:-1])
        if "error" in reply:
            raise VarlinkError(reply["error"], reply.get("parameters"))
        return reply["parameters"], reply.get("continues", False)

    def call(self, method, **parameters):
        self.send(method, **parameters)
        reply, continues = self.receive()
        assert not continues
        return reply

    def stream_of(self, method, **parameters):
        self.send(method, more=True, **parameters)
        continues = True
        while continues:
            reply, continues = self.receive()
            yield reply


class Ctl:
    """resolverctl, pointed at one daemon."""

    def __init__(self, net, daemon):
        self.program = os.path.join(net.build, "resolverctl")
        self.socket = os.path.join(daemon.dir, "control.sock")

    def varlink(self, timeout=10):
        return Varlink(self.socket, timeout)

    def run(self, *words, wrapper=(), timeout=20):
        return subprocess.run([*wrapper, self.program, "--socket", self.socket, *words],
                              capture_output=True, text=True, timeout=timeout, check=False,
                              stdin=subprocess.DEVNULL)

    def text(self, *words):
        done = self.run(*words)
        if done.returncode != 0:
            raise AssertionError(f"resolverctl {' '.join(words)}: {done.returncode} {done.stderr}")
        return done.stdout

    def json(self, *words):
        return json.loads(self.text("--json", *words))


class Description:
    """An interface description, read well enough to check replies against it."""

    def __init__(self, text):
        text = re.sub(r"#.*", "", text)
        self.types = {name: self.fields(body)
                      for name, body in re.findall(r"type (\w+) \(((?:[^()])*)\)", text)}
        self.replies = {name: self.fields(body) for name, body in
                        re.findall(r"method (\w+)\([^)]*\) -> \(([^)]*)\)", text)}

    @staticmethod
    def fields(body):
        return dict(re.findall(r"(\w+):\s*([^\s,]+)", body))

    def problems(self, value, kind, where):
        """What is wrong with VALUE, which should be of KIND."""
        plain = {"string": str, "int": int, "bool": bool, "float": float}
        if kind.startswith("?"):
            return [] if value is None else self.problems(value, kind[1:], where)
        if kind.startswith("[]"):
            if not isinstance(value, list):
                return [f"{where}: no list"]
            return [p for v in value for p in self.problems(v, kind[2:], where + "[]")]
        if kind.startswith("[string]"):
            return [p for k, v in value.items()
                    for p in self.problems(v, kind[8:], f"{where}.{k}")]
        if kind in plain:
            good = type(value) is plain[kind] or (kind == "float" and type(value) is int)
            return [] if good else [f"{where}: {value!r} is no {kind}"]
        return self.check(value, self.types[kind], where)

    def check(self, value, fields, where):
        if not isinstance(value, dict):
            return [f"{where}: no object"]
        found = [f"{where}.{k} is not described" for k in value.keys() - fields.keys()]
        found += [f"{where}.{k} is missing" for k in fields.keys() - value.keys()]
        for key in value.keys() & fields.keys():
            found += self.problems(value[key], fields[key], f"{where}.{key}")
        return found

    def reply_problems(self, method, reply):
        return self.check(reply, self.replies[method], method)
