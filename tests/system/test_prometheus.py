"""A real Prometheus scrapes the daemon and evaluates the alert rules that come with it."""
import json
import os
import re
import shutil
import time
import unittest
import urllib.parse
import urllib.request

import case

DAEMON, PROMETHEUS = "127.0.0.1:9255", "127.0.0.1:9091"
TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - {{job_name: resolverd, static_configs: [{{targets: ["{daemon}"]}}]}}
"""


@unittest.skipUnless(shutil.which("prometheus"), "no prometheus")
class Prometheus(case.DaemonCase):
    config = {"metrics": {"listen": [DAEMON]}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = os.path.join(cls.net.dir, "prometheus")
        os.mkdir(directory)
        config = os.path.join(directory, "prometheus.yml")
        with open(config, "w") as file:
            rules = os.path.join(TOP, "packaging", "prometheus", "resolverd.rules.yml")
            file.write(CONFIG.format(rules=os.path.abspath(rules), daemon=DAEMON))
        cls.child = cls.net.spawn(
            ["prometheus", f"--config.file={config}", f"--web.listen-address={PROMETHEUS}",
             f"--storage.tsdb.path={directory}/data", "--log.level=warn"],
            os.path.join(directory, "log"))

    @classmethod
    def tearDownClass(cls):
        cls.net.end(cls.child)
        super().tearDownClass()

    def get(self, path, **parameters):
        url = f"http://{PROMETHEUS}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=5) as reply:
            return json.load(reply)["data"]

    def value(self, expr):
        found = self.get("query", query=expr)["result"]
        return float(found[0]["value"][1]) if found else None

    def await_value(self, expr, wanted, timeout_s=30):
        """Until EXPR is at least WANTED."""
        deadline, last = time.monotonic() + timeout_s, None
        while time.monotonic() < deadline:
            try:
                last = self.value(expr)
            except OSError as error:         # not listening yet
                last = error
            if isinstance(last, float) and last >= wanted:
                return
            time.sleep(0.2)
        self.fail(f"{expr} is {last}, not {wanted}")

    def test_scraped(self):
        """Every documented metric arrives, with its type and help; counters count."""
        self.await_value('up{job="resolverd"}', 1)
        for _ in range(20):
            self.ask("www.signed.org")
        self.await_value("resolverd_queries_udp_total", 20)
        self.await_value("resolverd_cache_hits_total", 19)
        self.await_value("histogram_quantile(0.5, resolverd_upstream_rtt_seconds_bucket)", 0)
        with open(os.path.join(TOP, "docs", "metrics.md")) as document:
            told = dict(re.findall(r"(?m)^\| `(resolverd_\w+)(?:\{\w+\})?` \| (\w+) \|",
                                   document.read()))
        known = self.get("targets/metadata", match_target='{job="resolverd"}')
        found = {m["metric"]: m["type"] for m in known if m["metric"].startswith("resolverd_")}
        self.assertEqual(found, told)
        self.assertTrue(all(m["help"] for m in known))

    def test_rules(self):
        """All rules can be evaluated, and none fires at a daemon that is well."""
        self.await_value('up{job="resolverd"}', 1)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            rules = [r for g in self.get("rules")["groups"] for r in g["rules"]]
            if all(r["health"] != "unknown" for r in rules):
                break
            time.sleep(0.2)
        self.assertTrue(rules)
        for rule in rules:
            self.assertEqual(rule["health"], "ok", rule)
            self.assertEqual(rule["state"], "inactive", rule)
