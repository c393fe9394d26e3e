# SPDX-License-Identifier: Apache-2.0
"""API servers of the demo's clusters: real kube-apiservers with real controllers, which the demo
starts inside the lab, or the lab's own. One surface for both: they die and come back."""

import yaml

from demo.lab import Program
from lib import kube


class Real:
    """kube-apiserver and kube-controller-manager."""

    def __init__(self, lab, plan, etcd):
        self.server = kube.Cluster(lab, etcd, plan.short, plan.address)

    def wait_ready(self):
        self.server.wait_ready()
        self.server.start_controllers()
        self.server.admin.wait("v1", "Namespace", None, "kube-system", bool)

    def kill(self):
        self.server.daemon.kill()

    def start(self):
        self.server.start()
        self.server.wait_ready()


class Embedded:
    """fedwayd --role=member, of the lab."""

    def __init__(self, lab, plan):
        self.program = Program(lab, plan.place, "kube")

    def kill(self):
        self.program.kill()

    def start(self):
        self.program.start()


def start(lab, plans, etcd_address):
    """Starts real API servers; they and the file for `fedway lab up --members`."""
    etcd = kube.Etcd(lab, etcd_address)
    members = [Real(lab, plan, etcd) for plan in plans]
    for member in members:
        member.wait_ready()
    file = lab.directory / "members.yaml"
    file.write_text(yaml.safe_dump({plan.name: str(member.server.kubeconfig())
                                    for plan, member in zip(plans, members)}))
    return members, file
