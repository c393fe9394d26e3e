# SPDX-License-Identifier: Apache-2.0
"""What the hosted API has answered is still there after kill -9, and watches go on."""

import http.client
import threading
import time

from api.conftest import WIDGETS, widget

PATH = "/apis/example.com/v1/namespaces/default/widgets"


def make(server, name, size=1):
    status, obj = server.request("POST", PATH, widget(name, size))
    assert status == 201, obj
    return obj


def serve_widgets(server):
    assert server.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
                          WIDGETS)[0] == 201


def test_no_answered_write_is_lost(server):
    """Writers on several connections, the server killed under them, five times."""
    serve_widgets(server)
    answered = {}
    for round_number in range(5):
        stop = threading.Event()

        def write(writer, number=round_number, stop=stop):
            for i in range(100000):
                if stop.is_set():
                    return
                try:
                    obj = make(server, f"w-{number}-{writer}-{i}")
                except (OSError, http.client.HTTPException):
                    return
                answered[obj["metadata"]["name"]] = obj["metadata"]["resourceVersion"]

        writers = [threading.Thread(target=write, args=(n,)) for n in range(4)]
        for writer in writers:
            writer.start()
        time.sleep(0.3)
        server.kill()
        stop.set()
        for writer in writers:
            writer.join()
        server.start()
    _, listed = server.request("GET", PATH)
    there = {obj["metadata"]["name"]: obj["metadata"]["resourceVersion"]
             for obj in listed["items"]}
    assert len(answered) > 50
    assert answered.items() <= there.items()


def test_a_watch_resumes_where_it_was(server):
    serve_widgets(server)
    first = make(server, "a")
    make(server, "b")
    server.request("DELETE", f"{PATH}/a")
    server.restart()
    make(server, "c")
    after = first["metadata"]["resourceVersion"]
    events = server.watch(f"{PATH}?watch=1&resourceVersion={after}&timeoutSeconds=1")
    assert [(event["type"], event["object"]["metadata"]["name"]) for event in events] == [
        ("ADDED", "b"), ("DELETED", "a"), ("ADDED", "c")]


def test_revisions_never_go_back(server):
    serve_widgets(server)
    before = int(make(server, "a")["metadata"]["resourceVersion"])
    server.request("DELETE", f"{PATH}/a")
    server.restart()
    assert int(make(server, "a")["metadata"]["resourceVersion"]) > before + 1


def test_a_selector_resumes_with_the_old_state(server):
    """An object that leaves a selector is DELETED, also when it did so before the restart."""
    serve_widgets(server)
    server.request("POST", PATH, widget("a", labels={"t": "1"}))
    _, listed = server.request("GET", PATH)
    server.request("PATCH", f"{PATH}/a", {"metadata": {"labels": {"t": "2"}}},
                   content_type="application/merge-patch+json")
    server.restart()
    after = listed["metadata"]["resourceVersion"]
    events = list(server.watch(f"{PATH}?watch=1&resourceVersion={after}&labelSelector=t%3D1"
                               "&timeoutSeconds=1"))
    assert [event["type"] for event in events] == ["DELETED"]
    assert events[0]["object"]["metadata"]["labels"] == {"t": "1"}


def test_a_terminating_namespace_goes_on_after_a_restart(server):
    serve_widgets(server)
    server.request("POST", "/api/v1/namespaces", {"metadata": {"name": "shop"}})
    held = widget("w", finalizers=["example.com/hold"])
    held["metadata"]["namespace"] = "shop"
    server.request("POST", "/apis/example.com/v1/namespaces/shop/widgets", held)
    server.request("DELETE", "/api/v1/namespaces/shop")
    server.restart()
    watch = server.watch("/api/v1/namespaces?watch=1&fieldSelector=metadata.name%3Dshop")
    assert next(watch)["object"]["status"]["phase"] == "Terminating"
    server.request("PATCH", "/apis/example.com/v1/namespaces/shop/widgets/w",
                   {"metadata": {"finalizers": None}},
                   content_type="application/merge-patch+json")
    assert next(watch)["type"] == "DELETED"


def test_keys_and_identities_stay(server):
    _, before = server.request("GET", "/api/v1/namespaces/kube-system")
    token = (server.data / "admin.token").read_text()
    server.restart()
    _, after = server.request("GET", "/api/v1/namespaces/kube-system", token=token)
    assert before["metadata"]["uid"] == after["metadata"]["uid"]
    assert (server.data / "admin.token").stat().st_mode & 0o777 == 0o600
    assert (server.data / "pki/serving-ca.key").stat().st_mode & 0o777 == 0o600
