# SPDX-License-Identifier: Apache-2.0
"""The scenario: each step changes one thing in the World, measures, and says what it saw.

A step leaves the world as it found it: no rule, everything up. "Failed" are calls that started
after the fault; connections cut in flight are told apart. Shares are of 300 calls.
"""

import contextlib
import dataclasses
import datetime
import time

from demo.calls import answers, failed, near, now_ms, percents, shares
from lib import parts, wait
from lib.fedwayd import is_true, phase

CALLS = 300
EVEN = {"vc1": 100 / 3, "vc2": 100 / 3, "vc3": 100 / 3}
LOAD = "20ms"
FINE = {"Ok", "Slow"}


@dataclasses.dataclass
class Outcome:
    """`passed` None: not built yet, nothing is claimed. `details`: lines below the first."""
    passed: bool | None
    text: str
    details: list = dataclasses.field(default_factory=list)


def measure(world, sites=None, count=CALLS):
    """`count` calls from each of the sites, one site after the other: {site: calls}."""
    return {site: site.calls(count).finish().told_calls() for site in sites or world.sites}


def told(measured):
    """"from c1: vc1 33% ..., from c2: ..." with failures, if there are any."""
    words = []
    for site, calls in measured.items():
        bad = failed(calls)
        words.append(f"from {site.plan.short}: {shares(calls)}"
                     + (f", {len(bad)} FAILED ({bad[0]['error']})" if bad else ""))
    return "; ".join(words)


@contextlib.contextmanager
def load(*sites, **options):
    """Within the block, calls run from these sites; gives {site: Calls}."""
    running = {site: site.calls(every=LOAD, **options) for site in sites}
    try:
        for calls in running.values():
            calls.wait_calls(10, 0)
        yield running
    finally:
        for calls in running.values():
            if calls.daemon.alive():
                calls.end()


def fault(act):
    """Does what breaks something, and returns the time from which it is broken."""
    act()
    return now_ms()


def failures(running, since):
    """Calls of all runners that started after `since` and failed, and how many there were."""
    calls = [call for one in running.values() for call in one.started_after(since)]
    return failed(calls), len(calls)


def in_flight(running, since):
    """How many calls had started before `since` and were cut."""
    return sum(len(failed(one.told_calls())) for one in running.values()) \
        - len(failures(running, since)[0])


def cuts(running):
    return [line for one in running.values() for line in one.cut()]


# --- shares --------------------------------------------------------------------------------------

def evenly(world):
    """Calls from each cluster are answered by all three, evenly"""
    measured = measure(world)
    return Outcome(all(near(calls, EVEN) for calls in measured.values()), told(measured))


def distribute(world):
    """80 % stay in zone1, 20 % go to zone2; callers elsewhere are not concerned"""
    c1, c2, c3 = world.sites
    with world.new_tables(c1):
        world.set_rule({"distribute": [{"from": "region1/zone1/*", "to": {
            "region1/zone1/*": 80, "region1/zone2/*": 20}}]})
    measured = measure(world)
    passed = (near(measured[c1], {"vc1": 80, "vc2": 20}) and near(measured[c2], EVEN)
              and near(measured[c3], EVEN))
    with world.new_tables(c1):
        world.set_rule(None)
    return Outcome(passed, told(measured))


def stay_local(world):
    """With failover on, all calls stay in their own zone"""
    with world.new_tables(*world.sites):
        world.set_rule({"enabled": True})
    measured = measure(world)
    passed = all(near(calls, {site.plan.version: 100}, 0) for site, calls in measured.items())
    with world.new_tables(*world.sites):
        world.set_rule(None)
    return Outcome(passed, told(measured))


# --- faults --------------------------------------------------------------------------------------

def fail_over(world):
    """The local workload dies: the next zone answers, then the next region; nothing fails"""
    c1, c2, _ = world.sites
    with world.new_tables(*world.sites):
        world.set_rule({"enabled": True})
    details, all_failed, total = [], 0, 0
    with load(c1) as running:
        calls = running[c1]
        for dead, heir in ((c1, "vc2"), (c2, "vc3")):
            cut_before = in_flight(running, now_ms())
            # first while only the gateway knows it, then when Kubernetes has noticed as well
            with world.new_tables(c1):
                at = fault(dead.hello.kill)
                first = calls.wait_answer(heir, at)
                took = first["start"] + first["took"] - at
                calls.wait_calls(50, now_ms())
            mark = now_ms()
            seen = calls.wait_calls(50, mark)
            bad, number = failures(running, at)
            all_failed, total = all_failed + len(bad), total + number
            details.append(f"{dead.plan.version} killed: {heir} answers after {took:.0f} ms, "
                           f"{len(bad)} of {number} calls failed, "
                           f"{in_flight(running, at) - cut_before} cut in flight, "
                           f"then {shares(seen)}")
            if set(answers(seen)) != {heir}:
                all_failed += 1
    for site in (c1, c2):
        site.hello.start()
    world.wait_endpoints({site.plan.name: (1, 1) for site in world.sites})
    with world.new_tables(*world.sites):
        world.set_rule(None)
    return Outcome(all_failed == 0, f"vc1 → vc2 → vc3, {all_failed} failed calls of {total}",
                   details)


def lose_gateway(world):
    """A remote gateway dies, then falls silent: calls go elsewhere"""
    c1, c2, c3 = world.sites
    bad_in_all, details = 0, []

    def watch(running, what, at):
        """Until it is back in use; counts and tells."""
        nonlocal bad_in_all
        for calls in running.values():
            calls.wait_calls(100, at)
        bad, number = failures(running, at)
        bad_in_all += len(bad)
        late = [call for one in running.values() for call in one.started_after(at)]
        last = max([call["start"] for call in late if call.get("answer") == "vc2"] + [at]) - at
        mark = now_ms()
        seen = {site: one.wait_calls(60, mark) for site, one in running.items()}
        if any("vc2" in percents(calls) for calls in seen.values()):
            bad_in_all += 1
        details.append(f"{what}: {len(bad)} of {number} calls failed, {in_flight(running, at)} cut "
                       f"in flight, the slowest took {max(call['took'] for call in late):.0f} ms, "
                       f"the last to vc2 began after {last:.0f} ms; then {told(seen)}")

    with load(c1, c3) as running:
        at = fault(c2.gateway.daemon.kill)
        watch(running, "killed", at)
        # both others have found it dead for 3 s, so that it is withdrawn for everybody
        world.wait_live(c2, False)
        withdrawn = (now_ms() - at) / 1000
        c2.gateway.start()
        c2.gateway.wait_ready()
        back = now_ms()
        lines = [one.wait_answer("vc2", back, 40) for one in running.values()]
        returned = max(line["start"] + line["took"] for line in lines) - back
        world.wait_live(c2, True)
    with load(c1, c3) as running:
        with c2.silent():
            watch(running, "silent", now_ms())
        back = now_ms()
        for one in running.values():
            one.wait_answer("vc2", back, 40)
    return Outcome(bad_in_all == 0, f"{bad_in_all} failed calls; withdrawn for everybody after "
                                    f"{withdrawn:.1f} s, back in use {returned:.0f} ms after it "
                                    f"was ready again", details)


def leave_interconnect(world):
    """A group leaves the interconnect and joins it again under running connections"""
    c1, c2, c3 = world.sites
    with load(c1, c3, hold=30) as running:
        at = now_ms()
        with world.new_tables(c1, c3):
            world.join_interconnect(c2, joined=False)
        mark = now_ms()
        away = {site: one.wait_calls(60, mark) for site, one in running.items()}
        own = measure(world, [c2], 30)[c2]
        with world.new_tables(c1, c3):
            world.join_interconnect(c2, joined=True)
        world.wait_joined()
        mark = now_ms()
        for one in running.values():
            one.wait_answer("vc2", mark)
        bad, number = failures(running, at)
    cut = cuts(running)
    passed = (not bad and not cut
              and all(set(answers(calls)) == {"vc1", "vc3"} for calls in away.values())
              and set(answers(own)) == {"vc2"} and not failed(own))
    return Outcome(passed, f"60 connections held, {len(cut)} cut; {len(bad)} of {number} calls "
                           f"failed; away: {told(away)}; its own callers: {shares(own)}")


def lose_api_server(world):
    """A member's API server dies: traffic goes on, and its age is shown"""
    c2 = world.sites[1]
    c2.member.kill()
    world.wait_phase(c2, "Degraded")
    measured = measure(world)
    obj = world.control.get("Cluster", c2.plan.name)
    observed = datetime.datetime.fromisoformat(obj["status"]["observedAt"])
    age = (datetime.datetime.now(datetime.timezone.utc) - observed).total_seconds()
    counts = world.control.get("MeshService", "helloworld", "sample")["status"]["endpoints"]
    c2.member.start()
    world.wait_phase(c2, "Ready", 60)
    passed = (all(near(calls, EVEN) for calls in measured.values()) and counts == "3/3"
              and phase(obj) == "Degraded" and age > 1)
    return Outcome(passed, f"{told(measured)}; shown as {phase(obj)}, seen {age:.0f} s ago, "
                           f"endpoints {counts}")


def restart_control_plane(world):
    """Kills fedwayd under load and starts it again: did nobody notice, and what was seen."""
    control = world.control
    with load(*world.sites, hold=10) as running:
        at = fault(control.kill)
        for one in running.values():
            one.wait_calls(100, at)
        away = (now_ms() - at) / 1000
        start = time.monotonic()
        control.start().wait_ready()
        # every stream ends its first burst with a Snapshot
        wait.until(lambda: world.resources_sent()["Snapshot"] >= len(world.sites), 60,
                   "all gateways have come back and hold what they should")
        back = time.monotonic() - start
        mark = now_ms()
        seen = {site: one.wait_calls(50, mark) for site, one in running.items()}
        bad, number = failures(running, at)
    sent = world.resources_sent()
    del sent["Snapshot"]
    cut = cuts(running)
    words = ", ".join(f"{number:.0f} {kind}" for kind, number in sent.items())
    # the counters count: in its first life it has sent some of each
    held = (not bad and not cut and all(world.first_sent.values()) and not any(sent.values())
            and all(set(answers(calls)) == set(EVEN) for calls in seen.values()))
    return held, (f"{len(bad)} of {number} calls failed, {len(cut)} of 30 connections cut; away "
                  f"for {away:.1f} s, all gateways back after {back:.1f} s; sent again: {words}")


def lose_control_plane(world):
    """fedwayd is killed and started again under load: nobody notices"""
    held, text = restart_control_plane(world)
    c2 = world.sites[1]
    c2.member.kill()
    world.wait_phase(c2, "Degraded")
    held_without, text_without = restart_control_plane(world)
    c2.member.start()
    world.wait_phase(c2, "Ready", 60)
    return Outcome(held and held_without, text,
                   [f"while the API server of {c2.plan.name} is dead as well: {text_without}"])


# --- seen ----------------------------------------------------------------------------------------

KINDS = ("meshes", "clusters.fedway.io", "networkgroups", "eastwestgateways", "meshservices -A")


def tables(control):
    """What `kubectl get` shows; without kubectl, what `fedway get` does."""
    kubectl = (parts.PARTS / "bin" / "kubectl-1.37").exists()
    for words in KINDS:
        if kubectl:
            said = control.kubectl("get", *words.split())
        else:
            words = words.split()[0]
            said = control.host.run(parts.ours("fedway"), "get", words, "--kubeconfig",
                                    control.data / "admin.kubeconfig")
        yield f"$ {'kubectl' if kubectl else 'fedway'} get {words}"
        yield from said.stdout.rstrip().splitlines()


def show(world):
    """kubectl shows it all"""
    control = world.control
    details = list(tables(control))
    ready = all(phase(control.get("Cluster", site.plan.name)) == "Ready"
                and is_true(control.get("NetworkGroup", site.plan.group), "Joined")
                and is_true(control.get("EastWestGateway", site.plan.gateway), "Ready")
                for site in world.sites)
    service = control.get("MeshService", "helloworld", "sample")["status"]
    mesh = control.get("Mesh", "default")["status"]
    passed = (ready and service["endpoints"] == "3/3" and mesh["clusters"] == 3
              and mesh["gateways"] == {"connected": 3, "acknowledged": 3})
    return Outcome(passed, f"clusters, groups, gateways ready; helloworld {service['endpoints']}; "
                           f"gateways {mesh['gateways']['connected']} connected, "
                           f"{mesh['gateways']['acknowledged']} acknowledged", details)


def states(matrix):
    """{(from, to): state} by the short names, of cells that are expected to work."""
    return {(cell["from"][-1], cell["to"][-1]): cell["state"] for cell in matrix["cells"]
            if cell["expected"] and cell["from"] != cell["to"]}


def picture(matrix):
    """"1→2 Ok, 1→3 Failed, ..."."""
    return ", ".join(f"{a}→{b} {state}" for (a, b), state in sorted(states(matrix).items()))


def prove(world):
    """Every cluster proves that it reaches every other; a cut link is named"""
    if world.matrix() is None:
        return Outcome(None, "not built yet: this fedwayd answers no matrix")
    good = wait_matrix(world, lambda cells: len(cells) == 6 and set(cells.values()) <= FINE)
    c1, c2, _ = world.sites
    with world.cut(c1, c2):
        broken = world.matrix()
    healed = wait_matrix(world, lambda cells: set(cells.values()) <= FINE)
    red = {pair for pair, state in states(broken).items() if state == "Failed"}
    causes = [f"{one['code']}: {one['message']} (explains {one['explains']})"
              for one in broken["causes"]]
    passed = (set(states(good).values()) <= FINE and len(states(good)) == 6
              and red == {("1", "2"), ("2", "1")} and bool(causes)
              and set(states(healed).values()) <= FINE)
    return Outcome(passed, f"{picture(good)}; link 1-2 cut: {len(red)} red cells",
                   [f"cut: {picture(broken)}", *causes, f"healed: {picture(healed)}"])


def wait_matrix(world, test):
    """Measures until the cells pass the test, for 20 s at most; the last matrix."""
    deadline = time.monotonic() + 20
    while True:
        matrix = world.matrix()
        if test(states(matrix)) or time.monotonic() > deadline:
            return matrix


STEPS = (evenly, distribute, stay_local, fail_over, lose_gateway, leave_interconnect,
         lose_api_server, lose_control_plane, show, prove)
