"""The CLI against a cluster of three nodes, all of them real, some of them dead."""

import json
import subprocess
import time

import claims
import node

DONE, UNAVAILABLE = 0, 4
# Nodes notice a death within 6 s.
DEATH_IS_SEEN = 6.0


class ClusterCliTest(node.NodeTest):
    def setUp(self):
        super().setUp()
        self.cluster = self.start_cluster()
        self.n1, self.n2, self.n3 = self.cluster

    def run_cli(self, *words, asks=(), timeout="5s"):
        """Exit code, standard output and standard error. `asks`: the nodes that it knows, by default all."""
        endpoints = ",".join(asked.address for asked in asks or self.cluster)
        done = subprocess.run([node.CLI, "--endpoint=" + endpoints, "--timeout=" + timeout, *words],
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=2 * node.DEADLINE,
                              env=node.clean_environment(HOME=self.directory))
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def json(self, *words, **options):
        code, out, err = self.run_cli(*words, "-o", "json", **options)
        self.assertEqual(code, DONE, err)
        return [json.loads(line) for line in out.splitlines()]

    def states(self, asked):
        return {member["name"]: member["state"] for member in self.json("members", asks=[asked])}

    def test_every_node_names_all_three_alive(self):
        for asked in self.cluster:
            members = self.json("members", asks=[asked])
            self.assertEqual([(member["name"], member["state"], member["address"]) for member in members],
                             [(each.name, "alive", each.address) for each in self.cluster])
            self.assertEqual({member["generation"] for member in members}, {"1"})

    def test_status_and_shards_say_that_no_node_may_fail(self):
        for asked in self.cluster:
            [status] = self.json("status", asks=[asked])
            self.assertEqual((status["nodes"], status["nodes_alive"], status["nodes_may_fail"]), (3, 3, 0))
            self.assertEqual(status["node"]["name"], asked.name)
            self.assertEqual({(shard["leader"], *shard["copies"]) for shard in self.json("shards", asks=[asked])},
                             {("n1", "n1")})

    def test_any_node_serves_any_key(self):
        for asked in self.cluster:
            code, out, err = self.run_cli("set", "set-at-" + asked.name, "1", asks=[asked])
            self.assertEqual((code, out[:2]), (DONE, "OK"), err)
        for asked in self.cluster:
            listed = self.run_cli("list", "set-at-", "--keys-only", asks=[asked])[1]
            self.assertEqual(listed, "set-at-n1\nset-at-n2\nset-at-n3\n")

    def test_actors_are_those_of_all_nodes_or_of_one(self):
        self.assertEqual({actor["node"] for actor in self.json("actors", asks=[self.n3])}, {"n1", "n2", "n3"})
        self.assertEqual({actor["node"] for actor in self.json("actors", "--node=n2", asks=[self.n3])}, {"n2"})
        self.assertEqual({actor["node"] for actor in self.json("actors", "shard/", asks=[self.n3])}, {"n1"})

    def test_a_killed_node_is_dead_to_the_others_and_alive_again_after_its_start(self):
        killed = time.monotonic()
        self.n2.kill()
        node.wait_until("both see n2 dead", lambda: self.states(self.n1)["n2"] == self.states(self.n3)["n2"] == "dead")
        self.assertLess(time.monotonic() - killed, DEATH_IS_SEEN + 2)
        # Whether that is healthy, its exit code says.
        status = json.loads(self.run_cli("status", "-o", "json", asks=[self.n1])[1])
        self.assertEqual((status["nodes"], status["nodes_alive"]), (3, 2))
        address = self.n2.address
        self.n2.start("--join=" + self.n1.address, listen=address)
        node.wait_until("n3 sees n2 alive", lambda: self.states(self.n3)["n2"] == "alive")
        [n2] = [member for member in self.json("members", asks=[self.n3]) if member["name"] == "n2"]
        self.assertEqual(n2["generation"], "2")

    def test_a_node_that_stops_is_dead_to_the_others_until_it_is_started_again(self):
        self.n3.stop()
        node.wait_until("n1 sees that n3 is gone", lambda: self.states(self.n1)["n3"] == "dead")

    def test_while_the_founder_is_dead_keys_cannot_be_reached_and_it_is_named(self):
        self.assertEqual(self.run_cli("set", "a", "1")[0], DONE)
        address = self.n1.address
        self.n1.kill()
        for words in (["get", "a"], ["set", "a", "2"]):
            started = time.monotonic()
            code, out, err = self.run_cli(*words, timeout="3s")
            self.assertEqual((code, out), (UNAVAILABLE, ""), err)
            self.assertIn("n1", err)
            self.assertLess(time.monotonic() - started, 3 + 2)
        self.assertEqual({member["name"] for member in self.json("members")}, {"n1", "n2", "n3"})
        self.n1.start(listen=address)
        node.wait_until("n1 is alive again", lambda: self.states(self.n3)["n1"] == "alive")
        node.wait_until("its keys can be read", lambda: self.run_cli("get", "a", asks=[self.n3])[0] == DONE)


if __name__ == "__main__":
    claims.main()
