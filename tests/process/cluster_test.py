"""Three real nodes: what they notice of each other, in which time, and what they refuse from whom."""

import os
import queue
import re
import socket
import time

import claims
import node

import grpc
from troupe.cluster.v1 import cluster_pb2
from troupe.internal.v1 import lanes_pb2, lanes_pb2_grpc, remote_pb2
from troupe.kv.v1 import kv_pb2

# What the cluster promises, on an idle machine; this one may build something else meanwhile.
DEATH_IS_SEEN = 6.0
RETURN_IS_SEEN = 2.0
FOR_A_BUSY_MACHINE = 2.0


def connections(one, other):
    """How many TCP connections there are between the processes of two nodes."""
    def ends(pid):
        inodes = set()
        for fd in os.listdir("/proc/%d/fd" % pid):
            try:
                found = re.match(r"socket:\[(\d+)\]", os.readlink("/proc/%d/fd/%s" % (pid, fd)))
            except FileNotFoundError:  # closed while we looked
                continue
            if found:
                inodes.add(found.group(1))
        pairs = set()
        for table in ("tcp", "tcp6"):
            for line in node.read_text("/proc/net/" + table).splitlines()[1:]:
                fields = line.split()
                local, remote, state, inode = fields[1], fields[2], fields[3], fields[9]
                if state == "01" and inode in inodes:
                    pairs.add((local[-13:], remote[-13:]))
        return pairs

    ours = ends(one.pid)
    return sum((remote, local) in ours for local, remote in ends(other.pid))


class ClusterTest(node.NodeTest):
    def get(self, asked, key, **options):
        return asked.kv.Get(kv_pb2.GetRequest(key=key), timeout=node.DEADLINE, **options).value

    def set(self, asked, key, value):
        return asked.kv.Set(kv_pb2.SetRequest(key=key, value=value), timeout=node.DEADLINE)

    def seconds_until(self, what, condition):
        started = time.monotonic()
        node.wait_until(what, condition)
        return time.monotonic() - started

    def test_a_death_is_seen_within_6_s_and_a_return_within_2(self):
        n1, n2, n3 = self.start_cluster()
        self.set(n1, b"k", b"v")
        address = n2.address
        n2.kill()
        took = self.seconds_until("n1 and n3 see that n2 is dead",
                                  lambda: n1.members()["n2"] == n3.members()["n2"] == "DEAD")
        self.assertLess(took, DEATH_IS_SEEN * FOR_A_BUSY_MACHINE)
        n2.start("--join=" + n1.address, listen=address)
        took = self.seconds_until("n1 and n3 see that n2 is back",
                                  lambda: n1.members()["n2"] == n3.members()["n2"] == "ALIVE")
        self.assertLess(took, RETURN_IS_SEEN * FOR_A_BUSY_MACHINE)
        self.assertEqual(self.get(n2, b"k"), b"v")

    def test_while_the_founder_is_dead_its_keys_are_unavailable_and_nobody_need_restart_after(self):
        n1, n2, n3 = self.start_cluster()
        self.set(n3, b"k", b"v")
        address = n1.address
        n1.kill()
        refused = self.assert_refused(grpc.StatusCode.UNAVAILABLE, n2.kv.Get, kv_pb2.GetRequest(key=b"k"), says="n1")
        self.assertIn("cannot be", refused.details())
        node.wait_until("n2 sees that n1 is dead", lambda: n2.members()["n1"] == "DEAD")
        self.assert_refused(grpc.StatusCode.UNAVAILABLE, n2.kv.Set, kv_pb2.SetRequest(key=b"k", value=b"w"),
                            says="node n1, which is dead")
        # Without --join: it finds the others by what it remembers.
        n1.start(listen=address)

        def readable():
            try:
                return self.get(n3, b"k") == b"v"
            except grpc.RpcError:
                return False

        node.wait_until("n3 reads again", readable)
        self.assertEqual(set(n1.members().values()), {"ALIVE"})

    def test_two_nodes_hold_one_connection_for_each_lane_that_they_use(self):
        nodes = self.start_cluster()
        for asked in nodes:
            for i in range(100):
                self.set(asked, b"%d" % i, b"v")
        # The control lane and that of the actors.
        for one, other in ((0, 1), (0, 2), (1, 2)):
            node.wait_until("n%d and n%d hold two connections" % (one + 1, other + 1),
                            lambda: connections(nodes[one], nodes[other]) == 2)

    def test_a_second_node_of_one_name_is_refused_and_the_first_goes_on(self):
        n1, n2 = self.start_cluster(size=2)
        second = node.Node(os.path.join(self.directory, "elsewhere"), "n2")
        os.mkdir(os.path.join(self.directory, "elsewhere"))
        self.nodes.append(second)
        self.addCleanup(second.kill)
        second.start("--join=" + n1.address, await_ready=False)
        self.assertEqual(second.wait(), 1)
        self.assertRegex(second.log(), r"error: .*\bn2\b.*" + re.escape(n2.address))
        self.assertEqual(n1.members(), {"n1": "ALIVE", "n2": "ALIVE"})

    def test_a_node_of_another_cluster_is_refused(self):
        n1 = self.start_node()
        stranger = self.start_node(name="m1")
        stranger.stop()
        stranger.start("--join=" + n1.address, await_ready=False)
        self.assertEqual(stranger.wait(), 1)
        clusters = re.findall(r"^ +cluster +(\w{32})", n1.output(), re.MULTILINE)
        self.assertIn(clusters[0], stranger.log())
        self.assertEqual(n1.members(), {"n1": "ALIVE"})

    def test_a_node_whose_seeds_are_silent_says_so_founds_nothing_and_joins_when_one_comes_up(self):
        address = node.lasting_address()
        n2 = self.start_node("--join=" + address, name="n2", await_ready=False)
        node.wait_until("n2 says that nobody answers", lambda: address in n2.log())
        self.assertNotIn("ready", n2.output().split())
        self.start_node(listen=address)
        n2._await_ready()
        self.assertEqual(n2.members(), {"n1": "ALIVE", "n2": "ALIVE"})

    def test_its_own_address_may_stand_among_the_seeds(self):
        first, second = node.lasting_address(), node.lasting_address()
        seeds = "--join=%s,%s" % (first, second)
        n1 = self.start_node(listen=first)
        n2 = self.start_node(seeds, name="n2", listen=second)
        n1.kill()
        n1.start(seeds, listen=first)
        node.wait_until("both are alive", lambda: n2.members() == n1.members() == {"n1": "ALIVE", "n2": "ALIVE"})

    def test_garbage_on_the_port_harms_nobody(self):
        n1, n2 = self.start_cluster(size=2)
        host, port = n1.address.rsplit(":", 1)
        for junk in (os.urandom(100000), b"GET / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + os.urandom(10000)):
            with socket.create_connection((host, int(port))) as connection:
                try:
                    connection.sendall(junk)
                except OSError:  # it hung up on us, as it should
                    pass
        for frames in ([os.urandom(1000), b""], [bytes(6 << 20)]):  # no frame of ours; above the cap
            for lane in ("Control", "Raft", "Actors", "Bulk"):
                self.talk(n1, lane, frames)
                self.talk(n1, lane, frames, hello=False)
        self.set(n2, b"k", b"v")
        self.assertEqual(self.get(n1, b"k"), b"v")
        self.assertEqual(n2.members(), {"n1": "ALIVE", "n2": "ALIVE"})

    def talk(self, to, lane, frames, hello=True):
        """Says `frames` as a peer would, after the hellos. The frames of the first answer, if there is one."""
        to_say = queue.Queue()
        with grpc.insecure_channel(to.address) as channel:
            call = getattr(lanes_pb2_grpc.LaneServiceStub(channel), lane)(iter(to_say.get, None), timeout=2.0)
            to_say.put(lanes_pb2.FrameBatch(hello=lanes_pb2.Hello(address="127.0.0.1:9") if hello else None,
                                            frames=[] if hello else frames))
            try:
                next(call)  # its hello
                to_say.put(lanes_pb2.FrameBatch(frames=frames))
                for answer in call:
                    if answer.frames:
                        return answer.frames
            except (grpc.RpcError, StopIteration):  # it hung up on us
                pass
            finally:
                to_say.put(None)
                call.cancel()

    def test_a_message_of_an_unknown_type_is_answered_so(self):
        n1 = self.start_node()
        status = n1.cluster.GetStatus(cluster_pb2.GetStatusRequest(), timeout=node.DEADLINE)
        frame = remote_pb2.ActorFrame(
            cluster_id=status.cluster_id, from_id="f" * 32, from_generation=1,
            deliver=remote_pb2.Deliver(
                to=remote_pb2.ActorRef(actor=2, node_id=status.node.node_id, generation=status.node.generation),
                message="example.Unheard", ask=7, timeout_micros=10**6))
        frames = self.talk(n1, "Actors", [frame.SerializeToString()])
        answer = remote_pb2.ActorFrame.FromString(frames[0]).answer
        self.assertEqual((answer.ask, answer.code), (7, grpc.StatusCode.UNIMPLEMENTED.value[0]))
        self.assertIn("example.Unheard", answer.message)


if __name__ == "__main__":
    claims.main()
