# SPDX-License-Identifier: Apache-2.0
"""Harness of the e2e suites: network namespaces, processes, real API servers, istiod, Envoy.

Modules, each usable without the ones below it:

parts    where the programs under test and the real components are
wait     deadlines
process  programs with a directory and a log of their own
lab      network namespaces, networks between them, the directory of a test
http     HTTP from inside a namespace
pki      certificate authorities and leaves
tls      a TLS client as a sidecar is one
kube     etcd, kube-apiserver, REST client, kubectl
objects  Kubernetes objects as plain dicts
envoy    stock Envoy: what its admin interface says, and as a passthrough gateway
istio    istiod and sidecars (pilot-agent with stock Envoy)
gateway  our own fedway-gateway
fedwayd  our own control plane, and our objects
ca       certificates from it, asked for as an Istio agent does
mesh     a running stock Istio mesh of two clusters, for a gateway to join
"""
