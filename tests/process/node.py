"""Real nodes for tests: started on a free port, watched, and gone when the test is over, however it ends.

    class SomeTest(node.NodeTest):
        def test_a_claim(self):
            n1 = self.start_node()
            n1.kv.Set(kv_pb2.SetRequest(key=b"a", value=b"1"))

Nothing here sleeps and hopes: what a test needs it waits for, until a deadline that only a hanging program reaches.
"""

import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

RUNFILES = os.getcwd()
NODE = os.path.join(RUNFILES, "apps/troupe-node")
CLI = os.path.join(RUNFILES, "apps/troupe")
HOLD_SYNCS = os.path.join(RUNFILES, "tests/process/libhold_syncs.so")
sys.path.insert(0, os.path.join(RUNFILES, "tests/process/stubs"))

import grpc
from troupe.actor.v1 import actor_pb2, actor_pb2_grpc
from troupe.cluster.v1 import cluster_pb2, cluster_pb2_grpc
from troupe.internal.v1 import peer_pb2
from troupe.kv.v1 import kv_pb2, kv_pb2_grpc

# For conditions that hold within milliseconds: seconds on a busy machine, never this long.
DEADLINE = 30.0
# What a node promises after SIGTERM or Ctrl-C.
STOPS_WITHIN = 5.0

LOG_LINES = 40


def wait_until(what, condition, deadline=DEADLINE):
    """The first result of `condition` that is true. Fails, with `what` was waited for, at the deadline."""
    end = time.monotonic() + deadline
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError("waited %g s for nothing: %s" % (deadline, what))
        time.sleep(0.005)


def read_text(path):
    with open(path, errors="backslashreplace") as file:
        return file.read()


def clean_environment(**changes):
    """The environment without what would change the programs' settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TROUPE_")}
    for name in ("NO_COLOR", "FORCE_COLOR"):
        environment.pop(name, None)
    environment.update(changes)
    return environment


def lasting_address():
    """An address on loopback that a node can have again after its death: the system gives no port below 32768 to
    anybody who connects, so that nobody takes it meanwhile."""
    while True:
        address = ("127.0.0.1", random.randrange(10000, 32768))
        with socket.socket() as probe:
            try:
                probe.bind(address)
                return "%s:%d" % address
            except OSError:
                pass


def key_state(error):
    """The KeyState that a NOT_FOUND or FAILED_PRECONDITION carries."""
    for name, value in error.trailing_metadata():
        if name == "grpc-status-details-bin":
            status = peer_pb2.StatusDetails.FromString(value)
            assert status.code == error.code().value[0], status
            state = kv_pb2.KeyState()
            for detail in status.details:
                if detail.Unpack(state):
                    return state
    raise AssertionError("no KeyState among the details of %s" % error)


class Node:
    """One troupe-node process after another on the same data directory."""

    def __init__(self, directory, name="n1"):
        self.name = name
        self.data_dir = os.path.join(directory, name)
        self._output = os.path.join(directory, name + ".out")
        self._log = os.path.join(directory, name + ".log")
        self._hold = os.path.join(directory, name + ".hold")
        self.process = None
        self.address = None
        self.pid = None
        self.channel = None

    def start(self, *flags, tracer=(), slow_disk=False, listen="127.0.0.1:0", await_ready=True, **popen):
        """Starts it, under the command `tracer` if one is given, and waits until it serves. Only with a `slow_disk` can
        its syncs be held."""
        assert self.process is None or self.process.poll() is not None, "it runs already"
        self.disconnect()
        self.address = self.pid = None
        command = [*tracer, NODE, "--name=" + self.name, "--listen=" + listen, "--data-dir=" + self.data_dir, *flags]
        environment = clean_environment()
        if tracer:
            # The leak checker is a tracer itself, and a process can have only one.
            environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        if slow_disk:
            environment.update(LD_PRELOAD=HOLD_SYNCS, HOLD_SYNCS_WHILE=self._hold)
            environment["ASAN_OPTIONS"] = environment.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        with open(self._output, "wb") as output, open(self._log, "ab") as log:
            popen = {"stdin": subprocess.DEVNULL, "env": environment, **popen}
            self.process = subprocess.Popen(command, stdout=output, stderr=log, **popen)
        self.pid = self._traced() if tracer else self.process.pid
        if await_ready:
            self._await_ready()
        return self

    def hold_syncs(self):
        """From now on nothing it writes reaches the disk, and so no write is answered, until it is released."""
        open(self._hold, "w").close()

    def release_syncs(self):
        os.remove(self._hold)

    def _traced(self):
        """The tracer or its child, whichever is the node: a tracer may have children for uses of its own."""
        def find():
            assert self.process.poll() is None, "the tracer ended at once:\n" + self.log()
            tracer = self.process.pid
            try:
                family = [tracer, *read_text("/proc/{0}/task/{0}/children".format(tracer)).split()]
                return next((int(pid) for pid in family if os.path.samefile("/proc/%s/exe" % pid, NODE)), None)
            except FileNotFoundError:  # it ended while we looked
                return None

        return wait_until("the tracer has started the node", find)

    def _await_ready(self):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError("%s ended with %d before it was ready" % (self.name, self.process.returncode))
            return re.search(r"^ready$", self.output(), re.MULTILINE)

        wait_until("%s is ready" % self.name, ready)
        self.address = re.search(r"^ +gRPC +(\S+)$", self.output(), re.MULTILINE).group(1)
        # Values of 1 MiB and pages of 2 MiB, with room to see one that is too large.
        self.channel = grpc.insecure_channel(self.address, options=[("grpc.max_receive_message_length", 16 << 20)])

    @property
    def kv(self):
        return kv_pb2_grpc.KvServiceStub(self.channel)

    @property
    def cluster(self):
        return cluster_pb2_grpc.ClusterServiceStub(self.channel)

    @property
    def actors(self):
        return actor_pb2_grpc.ActorServiceStub(self.channel)

    def members(self):
        """The states of the nodes as this one sees them, as in {"n1": "ALIVE"}."""
        listed = self.cluster.ListMembers(cluster_pb2.ListMembersRequest(), timeout=DEADLINE)
        return {member.name: cluster_pb2.MemberState.Name(member.state).replace("MEMBER_STATE_", "")
                for member in listed.members}

    def handled_by_shards(self):
        """How many messages its shards have begun with, since the start."""
        listed = self.actors.ListActors(actor_pb2.ListActorsRequest(name_prefix="shard/", page_size=1000))
        return sum(actor.handled for actor in listed.actors)

    def output(self):
        return read_text(self._output)

    def log(self):
        """What it wrote to standard error, since the first start."""
        return read_text(self._log)

    def send(self, number):
        os.kill(self.pid, number)

    def pause(self):
        """Lets it do nothing, though its connections stay. A signal takes its time to reach every thread."""
        def stopped():
            states = [read_text("/proc/%d/task/%s/stat" % (self.pid, thread)).rpartition(")")[2].split()[0]
                      for thread in os.listdir("/proc/%d/task" % self.pid)]
            return set(states) == {"T"}

        self.send(signal.SIGSTOP)
        wait_until("every thread has stopped", stopped)

    def resume(self):
        self.send(signal.SIGCONT)

    def wait(self, timeout=DEADLINE):
        """Its exit code, or minus the signal that ended it."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError("%s did not end within %g s" % (self.name, timeout)) from None

    def stop(self, number=signal.SIGTERM):
        """Asks it to stop when nobody is connected any more. Its exit code, and the seconds that it took."""
        self.disconnect()
        started = time.monotonic()
        self.send(number)
        return self.wait(), time.monotonic() - started

    def kill(self):
        """Ends it without a warning, also under a tracer."""
        if self.process is not None and self.process.poll() is None:
            if self.pid is None:
                self.process.kill()
            else:
                self.send(signal.SIGKILL)
            self.process.wait(DEADLINE)

    def disconnect(self):
        if self.channel is not None:
            self.channel.close()
            self.channel = None


class NodeTest(unittest.TestCase):
    """A test with a directory of its own and nodes that do not outlive it."""

    def setUp(self):
        self.directory = tempfile.mkdtemp(dir=os.environ.get("TEST_TMPDIR"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.nodes = []

    def node(self, name="n1"):
        """A node that has not been started."""
        node = Node(self.directory, name)
        self.nodes.append(node)
        self.addCleanup(node.disconnect)
        self.addCleanup(node.kill)
        return node

    def start_node(self, *flags, name="n1", **options):
        return self.node(name).start(*flags, **options)

    def start_cluster(self, size=3, **options):
        """n1, which founds a cluster, and the others, which join it; all of them alive to each other."""
        nodes = [self.start_node(listen=lasting_address(), **options)]
        for i in range(2, size + 1):
            nodes.append(self.start_node("--join=" + nodes[0].address, name="n%d" % i, listen=lasting_address(),
                                         **options))
        everybody = {node.name: "ALIVE" for node in nodes}
        for node in nodes:
            wait_until("%s sees everybody alive" % node.name, lambda: node.members() == everybody)
        return nodes

    def circumstances(self):
        """For whoever reads of a failure."""
        text = ""
        for node in self.nodes:
            log = node.log().splitlines() if node.process is not None else ["never started"]
            text += "log of %s (pid %s), its end:\n" % (node.name, node.pid)
            text += "".join("  | %s\n" % line for line in log[-LOG_LINES:])
        return text

    def assert_refused(self, code, call, *arguments, says=None, **options):
        """The error with which `call` fails."""
        with self.assertRaises(grpc.RpcError) as caught:
            call(*arguments, **{"timeout": DEADLINE, **options})
        error = caught.exception
        self.assertEqual(error.code(), code, error.details())
        if says is not None:
            self.assertIn(says, error.details())
        return error
