"""Run as by the service manager: the log goes to the journal, here a socket that is read by us."""
import json
import os
import subprocess
import sys
import unittest

import case

# In a mount namespace of its own, where /run is empty: the journal's socket, and the daemon.
INSIDE = r"""
import json, os, signal, socket, subprocess, sys
daemon, config = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "none", "/run"], check=True)
os.makedirs("/run/systemd/journal")
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind("/run/systemd/journal/socket")
journal.settimeout(20)
ours, theirs = socket.socketpair()
s = os.fstat(theirs.fileno())
child = subprocess.Popen([daemon, "--foreground", "--config", config], stderr=theirs,
                         env=dict(os.environ, JOURNAL_STREAM=f"{s.st_dev}:{s.st_ino}"))
theirs.close()
entries = []
try:
    while True:
        fields = dict(line.split("=", 1) for line in journal.recv(65536).decode().splitlines())
        entries.append(fields)
        if fields["MESSAGE"].startswith("started "):
            child.send_signal(signal.SIGTERM)
        if fields["MESSAGE"] == "stopping":
            break
finally:
    child.terminate()
    status = child.wait()
print(json.dumps({"entries": entries, "status": status, "stderr": ours.recv(65536).decode()}))
"""


class Journal(unittest.TestCase):
    def test_fields(self):
        """Each line is an entry, its pairs are fields, and stderr stays empty, sandbox or not."""
        path = os.path.join(case.NET.dir, "journal.yaml")
        with open(path, "w") as config:
            json.dump({"listen": ["127.0.0.1:5399"], "control": {"socket": "none"},
                       "cache": {"path": case.NET.dir, "disk": "0"}}, config)
        daemon = os.path.abspath(os.path.join(case.NET.build, "resolverd"))
        done = subprocess.run(["unshare", "-m", sys.executable, "-c", INSIDE, daemon, path],
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        told = json.loads(done.stdout)
        self.assertEqual((told["status"], told["stderr"]), (0, ""))
        started = [e for e in told["entries"] if e.get("RESOLVERD_EVENT") == "started"]
        self.assertEqual(len(started), 1)
        self.assertEqual(started[0]["PRIORITY"], "5")
        self.assertEqual(started[0]["SYSLOG_IDENTIFIER"], "resolverd")
        self.assertEqual(started[0]["RESOLVERD_LISTEN"], "127.0.0.1:5399")
        self.assertEqual(started[0]["RESOLVERD_CONFIG"], path)
        self.assertIn("sandbox=", started[0]["MESSAGE"])
