"""What a client in another language sees, made from the published protos and Debian's grpcio alone."""

import concurrent.futures
import random

import claims
import node

import grpc
from google.protobuf import descriptor_pb2
from standard.health.v1 import health_pb2, health_pb2_grpc
from standard.reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from troupe.actor.v1 import actor_pb2
from troupe.cluster.v1 import cluster_pb2
from troupe.kv.v1 import kv_pb2

Code = grpc.StatusCode
KV_SERVICE = "troupe.kv.v1.KvService"
MAX_KEY = 4096
MAX_VALUE = 1 << 20
MAX_PAGE_BYTES = 2 << 20


def set_request(key, value, /, **condition):
    return kv_pb2.SetRequest(key=key, value=value, condition=kv_pb2.Condition(**condition) if condition else None)


class ClientTest(node.NodeTest):
    def setUp(self):
        super().setUp()
        self.n1 = self.start_node()

    @property
    def kv(self):
        return self.n1.kv

    def set(self, key, value, /, **condition):
        return self.kv.Set(set_request(key, value, **condition), timeout=node.DEADLINE)

    def get(self, key):
        return self.kv.Get(kv_pb2.GetRequest(key=key), timeout=node.DEADLINE)

    def delete(self, key, **condition):
        request = kv_pb2.DeleteRequest(key=key, condition=kv_pb2.Condition(**condition) if condition else None)
        return self.kv.Delete(request, timeout=node.DEADLINE)

    def list(self, **request):
        return self.kv.List(kv_pb2.ListRequest(**request), timeout=node.DEADLINE)

    def assert_missing(self, key):
        return self.assert_refused(Code.NOT_FOUND, self.kv.Get, kv_pb2.GetRequest(key=key))


class KeyTest(ClientTest):
    def test_what_was_set_is_got_with_its_version_shard_and_revision(self):
        written = self.set(b"user:1", b"Ada Lovelace")
        got = self.get(b"user:1")
        self.assertEqual((got.value, got.version, got.shard), (b"Ada Lovelace", written.version, written.shard))
        self.assertGreater(got.version, 0)
        self.assertEqual(got.revision, written.revision)

    def test_every_byte_is_kept_in_keys_and_values(self):
        every_byte = bytes(range(256))
        self.set(every_byte, every_byte[::-1])
        self.assertEqual(self.get(every_byte).value, every_byte[::-1])
        self.assertEqual([entry.key for entry in self.list(prefix=every_byte).entries], [every_byte])

    def test_an_empty_value_is_a_value(self):
        self.set(b"empty", b"")
        self.assertEqual(self.get(b"empty").value, b"")

    def test_a_key_that_is_not_there_is_not_found_with_its_state(self):
        state = node.key_state(self.assert_missing(b"nobody"))
        self.assertEqual((state.exists, state.version, state.value), (False, 0, b""))
        self.assertEqual(state.shard, self.set(b"nobody", b"").shard)

    def test_delete_says_whether_the_key_existed(self):
        self.set(b"a", b"1")
        self.assertTrue(self.delete(b"a").deleted)
        self.assert_missing(b"a")
        self.assertFalse(self.delete(b"a").deleted)

    def test_conditions_that_hold_let_the_write_happen(self):
        first = self.set(b"a", b"1", exists=False)
        second = self.set(b"a", b"2", exists=True)
        third = self.set(b"a", b"3", version=second.version)
        self.set(b"a", b"4", value=b"3")
        self.assertEqual(self.get(b"a").value, b"4")
        self.assertLess(first.version, second.version)
        self.assertLess(second.version, third.version)
        self.assertTrue(self.delete(b"a", value=b"4").deleted)

    def test_conditions_that_do_not_hold_write_nothing_and_tell_the_key_as_it_stands(self):
        version = self.set(b"a", b"red").version

        def assert_fails(call, request):
            state = node.key_state(self.assert_refused(Code.FAILED_PRECONDITION, call, request, says='"a"'))
            self.assertEqual((state.exists, state.version, state.value, state.value_size), (True, version, b"red", 3))

        assert_fails(self.kv.Set, set_request(b"a", b"green", exists=False))
        for condition in ({"version": version + 1}, {"version": 0}, {"value": b"blue"}, {"value": b""}):
            with self.subTest(condition):
                assert_fails(self.kv.Set, set_request(b"a", b"green", **condition))
                assert_fails(self.kv.Delete, kv_pb2.DeleteRequest(key=b"a", condition=kv_pb2.Condition(**condition)))
        self.assertEqual(self.get(b"a").value, b"red")

    def test_a_condition_on_a_key_that_is_not_there_does_not_hold(self):
        for condition in ({"exists": True}, {"version": 0}, {"value": b""}):
            with self.subTest(condition):
                error = self.assert_refused(Code.FAILED_PRECONDITION, self.kv.Set, set_request(b"a", b"1", **condition))
                self.assertFalse(node.key_state(error).exists)
        self.assert_missing(b"a")

    def test_a_state_leaves_out_a_value_above_a_kibibyte_and_tells_its_size(self):
        for size, left_out in ((1024, False), (1025, True)):
            self.set(b"a", b"x" * size)
            error = self.assert_refused(Code.FAILED_PRECONDITION, self.kv.Set, set_request(b"a", b"", exists=False))
            state = node.key_state(error)
            self.assertEqual((len(state.value), state.value_size), (0 if left_out else size, size))

    def test_a_request_that_makes_no_sense_is_invalid(self):
        empty_condition = kv_pb2.SetRequest(key=b"a", value=b"", condition=kv_pb2.Condition())
        self.assert_refused(Code.INVALID_ARGUMENT, self.kv.Set, empty_condition, says="condition")
        never = kv_pb2.DeleteRequest(key=b"a", condition=kv_pb2.Condition(exists=False))
        self.assert_refused(Code.INVALID_ARGUMENT, self.kv.Delete, never)

    def test_of_many_writers_with_the_same_condition_one_succeeds(self):
        def create(i):
            try:
                return self.set(b"lock", b"%d" % i, exists=False) and i
            except grpc.RpcError as error:
                self.assertEqual(error.code(), Code.FAILED_PRECONDITION)
                return None

        with concurrent.futures.ThreadPoolExecutor(32) as pool:
            winners = [i for i in pool.map(create, range(64)) if i is not None]
        self.assertEqual(len(winners), 1)
        self.assertEqual(self.get(b"lock").value, b"%d" % winners[0])

    def test_hundreds_of_calls_at_once_are_all_answered(self):
        calls = {i: self.kv.Set.future(set_request(b"k%d" % i, b"v%d" % i), timeout=node.DEADLINE) for i in range(500)}
        for call in calls.values():
            self.assertGreater(call.result().version, 0)
        calls = {i: self.kv.Get.future(kv_pb2.GetRequest(key=b"k%d" % i), timeout=node.DEADLINE) for i in calls}
        for i, call in calls.items():
            self.assertEqual(call.result().value, b"v%d" % i)

    def test_versions_only_grow_and_are_never_given_twice(self):
        versions = []
        for _ in range(3):
            versions.append(self.set(b"a", b"1").version)
            versions.append(self.set(b"a", b"1").version)
            self.delete(b"a")
            versions.append(self.set(b"a", b"1").version)
            self.delete(b"a")
            self.n1.stop()
            self.n1.start()
        self.assertEqual(versions, sorted(set(versions)))

    def test_an_old_version_does_not_fit_a_key_that_was_made_anew(self):
        old = self.set(b"a", b"1").version
        self.delete(b"a")
        self.set(b"a", b"1")
        self.assert_refused(Code.FAILED_PRECONDITION, self.kv.Set, set_request(b"a", b"2", version=old))


class ListTest(ClientTest):
    def pages(self, **request):
        token = ""
        while True:
            page = self.list(page_token=token, **request)
            yield page
            token = page.next_page_token
            if not token:
                return

    def fill(self, keys, value=b""):
        calls = [self.kv.Set.future(set_request(key, value), timeout=node.DEADLINE) for key in keys]
        for call in calls:
            call.result()

    def test_pages_give_every_key_of_a_prefix_once_in_byte_order(self):
        keys = [b"user:%d" % i for i in range(25)] + [b"user:\xff", b"user:\x00"]
        self.fill(keys + [b"user", b"users", b"other"])
        pages = list(self.pages(prefix=b"user:", page_size=10))
        self.assertEqual([len(page.entries) for page in pages], [10, 10, 7])
        self.assertEqual([entry.key for page in pages for entry in page.entries], sorted(keys))

    def test_an_entry_has_what_get_says(self):
        self.set(b"a", b"1")
        [entry] = self.list().entries
        got = self.get(b"a")
        self.assertEqual((entry.key, entry.value, entry.version, entry.shard, entry.revision),
                         (b"a", got.value, got.version, got.shard, got.revision))

    def test_keys_only_leaves_the_values_out(self):
        self.set(b"a", b"1")
        [entry] = self.list(keys_only=True).entries
        self.assertEqual((entry.key, entry.value), (b"a", b""))

    def test_a_list_of_nothing_is_one_empty_page(self):
        page = self.list(prefix=b"none")
        self.assertEqual((len(page.entries), page.next_page_token), (0, ""))

    def test_a_page_has_100_entries_unless_asked_and_never_above_1000(self):
        self.fill(b"%04d" % i for i in range(1001))
        self.assertEqual(len(self.list().entries), 100)
        self.assertEqual([len(page.entries) for page in self.pages(page_size=5000)], [1000, 1])

    def test_a_page_ends_at_two_mebibytes(self):
        keys = [b"%02d" % i for i in range(10)]
        self.fill(keys, b"x" * (MAX_VALUE // 2))
        pages = list(self.pages())
        self.assertEqual([entry.key for page in pages for entry in page.entries], keys)
        for page in pages:
            size = sum(len(entry.key) + len(entry.value) for entry in page.entries)
            self.assertLessEqual(size, MAX_PAGE_BYTES)
        self.assertEqual([len(page.entries) for page in pages], [3, 3, 3, 1])

    def test_the_largest_entry_fits_a_page(self):
        self.set(b"k" * MAX_KEY, b"x" * MAX_VALUE)
        [entry] = self.list().entries
        self.assertEqual(len(entry.value), MAX_VALUE)

    def test_a_page_token_that_is_not_ours_is_invalid(self):
        self.fill([b"a1", b"a2", b"b1"])
        token = self.list(prefix=b"a", page_size=1).next_page_token
        for foreign in ("nonsense!", "AAAA", token[:-2], "x" * 10000):
            self.assert_refused(
                Code.INVALID_ARGUMENT, self.kv.List, kv_pb2.ListRequest(prefix=b"a", page_token=foreign),
                says="page_token")
        self.assert_refused(
            Code.INVALID_ARGUMENT, self.kv.List, kv_pb2.ListRequest(prefix=b"b", page_token=token), says="prefix")

    def test_a_page_token_outlives_its_node(self):
        self.fill([b"a", b"b"])
        token = self.list(page_size=1).next_page_token
        self.n1.stop()
        self.n1.start()
        self.assertEqual([entry.key for entry in self.list(page_token=token).entries], [b"b"])


class LimitTest(ClientTest):
    def test_a_key_has_1_to_4096_bytes(self):
        self.set(b"k" * MAX_KEY, b"1")
        self.assertEqual(self.get(b"k" * MAX_KEY).value, b"1")
        for key, says in ((b"", "empty"), (b"k" * (MAX_KEY + 1), "4096")):
            for call, request in ((self.kv.Set, set_request(key, b"1")), (self.kv.Get, kv_pb2.GetRequest(key=key)),
                                  (self.kv.Delete, kv_pb2.DeleteRequest(key=key))):
                error = self.assert_refused(Code.INVALID_ARGUMENT, call, request, says=says)
                self.assertLess(len(error.details()), 300)

    def test_a_prefix_has_at_most_4096_bytes(self):
        self.assertEqual(len(self.list(prefix=b"p" * MAX_KEY).entries), 0)
        self.assert_refused(Code.INVALID_ARGUMENT, self.kv.List, kv_pb2.ListRequest(prefix=b"p" * (MAX_KEY + 1)))

    def test_a_key_in_an_error_is_escaped_and_cut_to_64_bytes(self):
        error = self.assert_missing(b"\x00\x1b[31m" + b"k" * 100)
        self.assertIn('"\\x00\\x1b[31m' + "k" * 58 + '"...', error.details())

    def test_a_value_has_at_most_a_mebibyte(self):
        value = random.Random(1).randbytes(MAX_VALUE)
        self.set(b"a", value)
        self.assertEqual(self.get(b"a").value, value)
        self.assert_refused(Code.INVALID_ARGUMENT, self.kv.Set, set_request(b"a", value + b"x"), says="1048576")
        self.assert_refused(Code.INVALID_ARGUMENT, self.kv.Set, set_request(b"a", b"", value=value + b"x"))
        self.assertEqual(self.get(b"a").value, value)

    def test_a_message_above_four_mebibytes_is_refused_and_the_node_goes_on(self):
        self.assert_refused(Code.RESOURCE_EXHAUSTED, self.kv.Set, set_request(b"a", b"x" * (5 << 20)))
        self.assert_missing(b"a")
        self.set(b"a", b"1")


class DeadlineTest(ClientTest):
    def test_a_call_without_a_deadline_is_answered(self):
        self.kv.Set(set_request(b"a", b"1"))
        self.assertEqual(self.kv.Get(kv_pb2.GetRequest(key=b"a")).value, b"1")

    def test_a_call_to_a_paused_node_ends_at_its_deadline_and_the_node_goes_on_after(self):
        self.set(b"a", b"1")
        self.n1.pause()
        call = self.kv.Set.future(set_request(b"a", b"2"), timeout=0.2)
        self.assertEqual(call.exception().code(), Code.DEADLINE_EXCEEDED)
        self.n1.resume()
        # Whether that was done is unknown.
        self.assertIn(self.get(b"a").value, (b"1", b"2"))

    def test_a_call_whose_deadline_has_passed_is_not_done(self):
        for timeout in (0, -1, 1e-6):
            self.assert_refused(Code.DEADLINE_EXCEEDED, self.kv.Set, set_request(b"late", b"1"), timeout=timeout)

    def test_a_deadline_far_away_is_no_mistake(self):
        self.kv.Set(set_request(b"a", b"1"), timeout=100000)
        self.assertEqual(self.kv.Get(kv_pb2.GetRequest(key=b"a"), timeout=100000).value, b"1")


class ClusterTest(ClientTest):
    def test_status_says_who_the_node_is_and_that_all_is_well(self):
        self.set(b"a", b"1")
        status = self.n1.cluster.GetStatus(cluster_pb2.GetStatusRequest(), timeout=node.DEADLINE)
        self.assertEqual(status.health, cluster_pb2.HEALTH_OK)
        self.assertEqual((status.node.name, status.node.address, status.node.generation), ("n1", self.n1.address, 1))
        self.assertEqual((status.nodes, status.shards, status.shards_serving), (1, 64, 64))
        self.assertEqual(status.approximate_keys, 1)
        self.assertRegex(status.cluster_id, "^[0-9a-f]{32}$")

    def test_who_a_node_is_outlives_it_and_its_starts_are_counted(self):
        before = self.n1.cluster.GetStatus(cluster_pb2.GetStatusRequest())
        self.n1.stop()
        self.n1.start()
        after = self.n1.cluster.GetStatus(cluster_pb2.GetStatusRequest())
        self.assertEqual((after.cluster_id, after.node.node_id), (before.cluster_id, before.node.node_id))
        self.assertEqual(after.node.generation, 2)

    def test_the_shard_map_cuts_all_slots_and_knows_the_shard_of_a_write(self):
        written = self.set(b"a", b"1")
        shards = self.n1.cluster.GetShardMap(cluster_pb2.GetShardMapRequest()).shards
        self.assertEqual([shard.id for shard in shards], list(range(64)))
        self.assertEqual((shards[0].first_slot, shards[-1].last_slot), (0, 65535))
        for below, above in zip(shards, shards[1:]):
            self.assertEqual(below.last_slot + 1, above.first_slot)
        self.assertEqual(shards[written.shard].revision, written.revision)
        self.assertTrue(all(shard.serving and shard.leader == "n1" for shard in shards))

    def test_actors_are_listed_in_pages(self):
        seen, token = [], ""
        while True:
            page = self.n1.actors.ListActors(
                actor_pb2.ListActorsRequest(name_prefix="shard/", page_size=10, page_token=token))
            self.assertLessEqual(len(page.actors), 10)
            seen += page.actors
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(sorted(actor.name for actor in seen), sorted("shard/%d" % i for i in range(64)))
        self.assertEqual([actor.id for actor in seen], sorted({actor.id for actor in seen}))


class StandardServicesTest(ClientTest):
    def health(self, service):
        stub = health_pb2_grpc.HealthStub(self.n1.channel)
        return stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=node.DEADLINE).status

    def reflect(self, **request):
        stub = reflection_pb2_grpc.ServerReflectionStub(self.n1.channel)
        requests = iter([reflection_pb2.ServerReflectionRequest(**request)])
        [response] = stub.ServerReflectionInfo(requests, timeout=node.DEADLINE)
        return response

    def test_health_is_serving_for_the_node_and_for_the_store(self):
        self.assertEqual(self.health(""), health_pb2.HealthCheckResponse.SERVING)
        self.assertEqual(self.health(KV_SERVICE), health_pb2.HealthCheckResponse.SERVING)

    def test_health_of_a_service_that_is_not_is_not_found(self):
        stub = health_pb2_grpc.HealthStub(self.n1.channel)
        self.assert_refused(Code.NOT_FOUND, stub.Check, health_pb2.HealthCheckRequest(service="troupe.nothing"))

    def test_reflection_lists_the_services(self):
        listed = self.reflect(list_services="").list_services_response.service
        self.assertLessEqual(
            {KV_SERVICE, "troupe.cluster.v1.ClusterService", "troupe.actor.v1.ActorService", "grpc.health.v1.Health",
             "grpc.reflection.v1alpha.ServerReflection"},
            {service.name for service in listed})

    def test_reflection_describes_every_service_that_it_lists(self):
        for service in self.reflect(list_services="").list_services_response.service:
            with self.subTest(service.name):
                response = self.reflect(file_containing_symbol=service.name)
                files = [descriptor_pb2.FileDescriptorProto.FromString(file)
                         for file in response.file_descriptor_response.file_descriptor_proto]
                found = ["%s.%s" % (file.package, described.name) for file in files for described in file.service]
                self.assertIn(service.name, found, response.error_response.error_message)

    def test_a_method_that_is_not_is_unimplemented(self):
        call = self.n1.channel.unary_unary("/%s/Steal" % KV_SERVICE)
        self.assert_refused(Code.UNIMPLEMENTED, call, b"")


if __name__ == "__main__":
    claims.main()
