"""What was acknowledged outlives kill -9, at whatever moment it comes.

With --nodes=3 all three nodes of a cluster are killed at once, under writes through each of them.

By hand: bazel test --config=opt //tests/process:crash_test --test_arg=--rounds=10 --test_arg=--sets=10000
"""

import argparse
import itertools
import random
import sys
import threading
import time

import claims
import node

import grpc
from troupe.cluster.v1 import cluster_pb2
from troupe.kv.v1 import kv_pb2, kv_pb2_grpc

WRITERS = 8
# Few, so that keys are written again and again; each writer has its own.
KEYS_PER_WRITER = 40

ARGUMENTS = argparse.ArgumentParser(allow_abbrev=False)
ARGUMENTS.add_argument("--rounds", type=int, default=3)
ARGUMENTS.add_argument("--nodes", type=int, default=1)
ARGUMENTS.add_argument("--sets", type=int, default=1000, help="acknowledged in each round before the end comes")
ARGUMENTS.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))


class Key:
    """What may be true of one key, from what its only writer was told."""

    def __init__(self):
        self.value = None  # None: it does not exist
        self.version = 0  # the highest that was seen, of any value
        self.in_doubt = []  # at most one write that was never answered; its value

    def check(self, name, entry):
        """Why the key cannot be as it is (`entry`, None: missing), or None. What is there is true from now on."""
        value = entry.value if entry else None
        if value != self.value and value not in self.in_doubt:
            return "%s is %s; acknowledged %s, in doubt %s" % (
                name, describe(value), describe(self.value), [describe(doubt) for doubt in self.in_doubt])
        if entry is not None:
            # The same value can be there by the write in doubt only when that wrote the same, which no two do.
            if value == self.value and entry.version != self.version:
                return "%s has version %d, acknowledged with %d" % (name, entry.version, self.version)
            if value != self.value and entry.version <= self.version:
                return "%s was written after version %d and has %d" % (name, self.version, entry.version)
            self.version = entry.version
        self.value, self.in_doubt = value, []
        return None


def describe(value):
    return "missing" if value is None else "%s (%d bytes)" % (value[:32], len(value))


class Writers:
    """Callers who write until the node is gone."""

    def __init__(self, nodes, keys, seed, enough):
        self._kvs = [kv_pb2_grpc.KvServiceStub(each.channel) for each in nodes]
        self._keys = keys
        self._enough = enough
        self._lock = threading.Lock()
        self.acknowledged = 0
        self.reached = threading.Event()
        self.complaints = []
        self._threads = [threading.Thread(target=self._write, args=(writer, random.Random(seed + writer)))
                         for writer in range(WRITERS)]
        for thread in self._threads:
            thread.start()

    def join(self):
        for thread in self._threads:
            thread.join(node.DEADLINE)
            if thread.is_alive():
                raise AssertionError("a call to a node that is gone does not end")

    def _write(self, writer, chance):
        kv = self._kvs[writer % len(self._kvs)]
        for i in itertools.count():
            name = b"%d/%d" % (writer, chance.randrange(KEYS_PER_WRITER))
            key = self._keys.setdefault(name, Key())
            # A tenth of them large, so that one write is many blocks of the log.
            size = chance.choice((0, 10, 100, 1000)) if chance.random() < 0.9 else chance.randrange(100000)
            value = b"%s by write %d %d " % (name, i, chance.getrandbits(64)) + b"x" * size
            deletes = chance.random() < 0.1
            key.in_doubt = [None if deletes else value]
            try:
                if deletes:
                    kv.Delete(kv_pb2.DeleteRequest(key=name), timeout=node.DEADLINE)
                    key.value = None
                else:
                    version = kv.Set(kv_pb2.SetRequest(key=name, value=value), timeout=node.DEADLINE).version
                    if version <= key.version:
                        self.complaints.append("%s: version %d after %d" % (name, version, key.version))
                    key.value, key.version = value, version
            except grpc.RpcError as error:
                # UNKNOWN: the node that was asked lived on when that with the shard died.
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED,
                                        grpc.StatusCode.UNKNOWN):
                    self.complaints.append("%s: %s" % (name, error))
                return
            key.in_doubt = []
            with self._lock:
                self.acknowledged += not deletes
                if self.acknowledged >= self._enough:
                    self.reached.set()


class CrashTest(node.NodeTest):
    def setUp(self):
        super().setUp()
        self.keys = {}

    def circumstances(self):
        return "seed %d: again with --test_arg=--seed=%d, though threads take turns as they like\n%s" % (
            options.seed, options.seed, super().circumstances())

    def entries(self, n1):
        token = ""
        while True:
            page = n1.kv.List(kv_pb2.ListRequest(page_size=1000, page_token=token), timeout=node.DEADLINE)
            yield from page.entries
            token = page.next_page_token
            if not token:
                return

    def check_every_key(self, n1):
        found = {entry.key: entry for entry in self.entries(n1)}
        complaints = ["%s was never written" % name for name in found if name not in self.keys]
        in_doubt_done = 0
        for name, key in sorted(self.keys.items()):
            in_doubt_done += bool(key.in_doubt) and (found[name].value if name in found else None) in key.in_doubt
            complaint = key.check(name, found.get(name))
            complaints += [complaint] if complaint else []
        self.assertEqual(complaints, [])
        return in_doubt_done

    def start_all(self, nodes):
        """Starts each at its address. The others join the first."""
        for each in nodes:
            flags = [] if each is nodes[0] else ["--join=" + self.addresses[nodes[0]]]
            each.start(*flags, listen=self.addresses[each])
        node.wait_until("the last node reaches every shard", lambda: self.serves(nodes[-1]))

    def serves(self, asked):
        status = asked.cluster.GetStatus(cluster_pb2.GetStatusRequest(), timeout=node.DEADLINE)
        return status.health == cluster_pb2.HEALTH_OK and status.shards_serving == status.shards

    def test_every_acknowledged_write_is_there_after_kill_9_at_a_random_moment(self):
        chance = random.Random(options.seed)
        nodes = [self.node("n%d" % i) for i in range(1, options.nodes + 1)]
        self.addresses = {each: node.lasting_address() for each in nodes}
        for i in range(options.rounds):
            self.start_all(nodes)
            enough = options.sets + chance.randrange(options.sets // 4)
            writers = Writers(nodes, self.keys, chance.getrandbits(64), enough)
            reached = writers.reached.wait(node.DEADLINE * max(1, options.sets // 1000))
            for each in chance.sample(nodes, len(nodes)):
                each.kill()
            writers.join()
            self.assertTrue(reached, "too slow: %d sets acknowledged" % writers.acknowledged)
            self.assertEqual(writers.complaints, [])
            # Sometimes it dies again while it recovers.
            for _ in range(chance.randrange(3)):
                nodes[0].start(await_ready=False, listen=self.addresses[nodes[0]])
                time.sleep(chance.random() * 0.05)
                nodes[0].kill()
            self.start_all(nodes)
            done = self.check_every_key(nodes[-1])
            print("round %d: %d sets acknowledged, %d in doubt were done, %d keys as they should be" %
                  (i + 1, writers.acknowledged, done, len(self.keys)))
            for each in nodes:
                each.stop()
        self.start_all(nodes)

    def test_a_write_that_is_lost_or_changed_would_be_seen(self):
        def key(value, version, *in_doubt):
            key = Key()
            key.value, key.version, key.in_doubt = value, version, list(in_doubt)
            return key

        def entry(value, version):
            return kv_pb2.Entry(value=value, version=version)

        for fine in ((key(b"a", 3), entry(b"a", 3)), (key(b"a", 3, b"b"), entry(b"b", 4)), (key(b"a", 3, None), None),
                     (key(b"a", 3, b"b"), entry(b"a", 3)), (key(None, 3), None), (key(None, 0, b"b"), None)):
            self.assertIsNone(fine[0].check("k", fine[1]))
        for wrong in ((key(b"a", 3), None), (key(b"a", 3), entry(b"b", 4)), (key(b"a", 3), entry(b"a", 4)),
                      (key(b"a", 3, b"b"), entry(b"b", 3)), (key(b"a", 3, b"b"), entry(b"c", 4)),
                      (key(b"a", 3, b"b"), None), (key(None, 3), entry(b"a", 2)), (key(None, 0, b"b"), entry(b"", 1))):
            self.assertIsNotNone(wrong[0].check("k", wrong[1]), wrong[1])


if __name__ == "__main__":
    options = ARGUMENTS.parse_args()
    print("seed %d" % options.seed)
    del sys.argv[1:]
    claims.main()
