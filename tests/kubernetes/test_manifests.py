"""What packaging/kubernetes/ ships for a node: read as strictly as the API server would, and run."""
import glob
import os
import subprocess
import time

import yaml

import case
import cluster
from cluster import CoreDNS, Pod, resolv_conf
from test_coredns import HOT, cold

ADDRESS = "169.254.20.10"


def documents():
    with open(os.path.join(cluster.SHIPPED, "node-local.yaml")) as file:
        return list(yaml.safe_load_all(file))


def shipped(kind):
    return next(document for document in documents() if document["kind"] == kind)


class Manifests(case.unittest.TestCase):
    def check(self, *files):
        return subprocess.run([cluster.built("manifests"), *files], capture_output=True, text=True,
                              check=False)

    def test_strict(self):
        done = self.check(*glob.glob(os.path.join(cluster.SHIPPED, "*.yaml")))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("apps/v1 DaemonSet", done.stdout)

    def test_mistakes(self):
        """The check itself."""
        path = os.path.join(case.NET.dir, "wrong.yaml")
        text = yaml.safe_dump(shipped("DaemonSet"))
        for right, wrong in ("hostNetwork:", "hostNetwrok:"), ("maxSurge: 1", "maxSurge: [1]"), \
                            ("kind: DaemonSet", "kind: DemonSet"):
            with self.subTest(wrong):
                self.assertIn(right, text)
                with open(path, "w") as out:
                    out.write(text.replace(right, wrong, 1))
                self.assertNotEqual(self.check(path).returncode, 0)

    def test_fits(self):
        """What the parts say of one another: names, files, addresses, and room for the cache."""
        daemon_set, config_map = shipped("DaemonSet"), shipped("ConfigMap")
        pod = daemon_set["spec"]["template"]["spec"]
        config = yaml.safe_load(config_map["data"]["resolverd.yaml"])
        container, init = pod["containers"][0], pod["initContainers"][0]
        self.assertEqual(pod["volumes"][0]["configMap"]["name"], config_map["metadata"]["name"])
        self.assertEqual(pod["serviceAccountName"], shipped("ServiceAccount")["metadata"]["name"])
        self.assertEqual(container["image"], init["image"])
        self.assertEqual((config["listen"], config["node-local"]["addresses"]), ([], [ADDRESS]))
        self.assertEqual(config_map["data"]["notrack.nft"].count(f" {ADDRESS} "), 6)
        mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
        self.assertIn(config["cache"]["path"], mounts)
        self.assertIn(os.path.dirname(config["control"]["socket"]), mounts)
        self.assertIn(config["control"]["socket"], container["startupProbe"]["exec"]["command"])
        for probe in container["readinessProbe"], container["livenessProbe"]:
            self.assertIn(f":{probe['httpGet']['port']}", config["metrics"]["listen"][0])
        self.assertLess(2 * int(config["cache"]["memory"][:-1]),
                        int(container["resources"]["limits"]["memory"][:-2]))

    def test_config(self):
        path = os.path.join(case.NET.dir, "shipped.yaml")
        with open(path, "w") as out:
            out.write(shipped("ConfigMap")["data"]["resolverd.yaml"])
        done = subprocess.run([os.path.join(case.NET.build, "resolverd"), "--check", "--config", path],
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)


class Node(case.DaemonCase):
    """The DaemonSet's container on a node: the shipped configuration but for the lab's root, with the
    privileges that the manifest leaves it, on a file system that cannot be written to. Behind it CoreDNS
    has the cluster's names."""
    @classmethod
    def setUpClass(cls):
        cls.net = case.NET
        spec = shipped("DaemonSet")["spec"]["template"]["spec"]
        cls.container = spec["containers"][0]
        config = os.path.join(cls.net.dir, "configmap")
        os.makedirs(config, exist_ok=True)
        with open(os.path.join(config, "notrack.nft"), "w") as out:
            out.write(shipped("ConfigMap")["data"]["notrack.nft"])
        init = spec["initContainers"][0]
        script = init["args"][0].replace("/etc/resolverd", config)
        subprocess.run(cls.confined(init, ["/bin/sh", "-ec", script]), check=True)
        cls.coredns = CoreDNS(cls.net, "10.96.0.10", to=[ADDRESS])
        cls.daemon = cls.container_on_node().start()
        cls.coredns.start()

    @classmethod
    def tearDownClass(cls):
        cls.coredns.stop()
        subprocess.run(["nft", "delete", "table", "ip", "resolverd"], check=True)
        super().tearDownClass()

    @classmethod
    def confined(cls, container, command):
        """COMMAND with the capabilities that CONTAINER has."""
        words = ["-all"] + ["+" + c.lower() for c in container["securityContext"]["capabilities"]["add"]]
        return ["setpriv", "--no-new-privs", "--inh-caps", ",".join(words), "--bounding-set",
                ",".join(words), *command]

    @classmethod
    def container_on_node(cls):
        config = yaml.safe_load(shipped("ConfigMap")["data"]["resolverd.yaml"])
        del config["control"]
        config["cache"]["path"] = os.path.join(cls.net.dir, "hostpath")
        os.makedirs(config["cache"]["path"], exist_ok=True)
        # Only what the pod mounts can be written to: here the lab's directory.
        mounts = f"mount --bind {cls.net.dir} {cls.net.dir} && mount -o remount,bind,ro / && " \
                 f"cd {cls.net.dir} && exec \"$@\""
        return cls.net.resolver(config, address=ADDRESS, wrapper=[
            "unshare", "-m", "sh", "-c", mounts, "sh", *cls.confined(cls.container, [])])

    def ready(self, daemon):
        """The startup probe."""
        done = subprocess.run([os.path.join(self.net.build, "resolverctl"), "-s",
                               os.path.join(daemon.dir, "control.sock"), "status"],
                              capture_output=True, text=True, check=False)
        return done.returncode == 0

    def pods(self):
        lines = [line for line in HOT if "crowd" not in line] + ["4 ns.dns.cluster.local 10.96.0.10"]
        pods = [Pod(self.net, "node", resolv_conf(ADDRESS), lines, 20),
                Pod(self.net, "node-vc", resolv_conf(ADDRESS, "ndots:5 use-vc"), lines, 10),
                Pod(self.net, "node-musl", resolv_conf(ADDRESS), lines, 20, "pod-musl"),
                Pod(self.net, "node-cold", resolv_conf(ADDRESS), cold(0, 500), 10)]
        for pod in pods:
            pod.start()
            self.addCleanup(self.net.end, pod.process)
        return pods

    def test_answers(self):
        self.assertTrue(self.ready(self.daemon))
        self.assertFlag(self.ask("www.signed.org", ad=True), "AD")
        self.assertData(self.ask("kubernetes.default.svc.cluster.local"), "10.96.0.1")
        self.assertStatus(self.ask("nothing.default.svc.cluster.local"), "NXDOMAIN")
        self.assertStatus(self.ask("www.plain.com.eu-west-1.compute.internal"), "NXDOMAIN")
        self.assertEqual(self.net.queries("www.plain.com.eu-west-1.compute.internal."), [])

    def test_untracked(self):
        """Questions and answers both went past connection tracking."""
        self.ask("www.signed.org")
        self.ask("www.signed.org", tcp=True)
        said = subprocess.run(["nft", "list", "table", "ip", "resolverd"], capture_output=True, text=True,
                              check=True).stdout
        self.assertEqual(said.count("counter packets 0 "), 0, said)

    def test_update(self):
        """As the DaemonSet updates a node: a second one beside the first, ready, then the first ends.
        Not one lookup of a pod fails."""
        pods = self.pods()
        time.sleep(3)
        for _ in range(3):
            # A pod's network is the node's: both have the same port, and the address is there once.
            second = self.container_on_node().start(wait=False)
            deadline = time.monotonic() + 20
            while not self.ready(second):
                self.assertLess(time.monotonic(), deadline, second.said())
                time.sleep(0.1)
            time.sleep(1)
            self.assertEqual(self.daemon.stop(), 0, self.daemon.said()[-2000:])
            type(self).daemon = second
            time.sleep(1)
        asked, failures = 0, []
        for pod in pods:
            figures, failed = pod.end()
            asked, failures = asked + figures["asked"], failures + failed
            print(f"{self.id()} {pod.name}: asked={figures['asked']} failed={figures['failed']} "
                  f"slow={figures['slow']} slowest_ms={figures['slowest_ms']}", flush=True)
        self.assertEqual(failures, [], f"of {asked}")
