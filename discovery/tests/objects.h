/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects of a small member cluster as JSON text.
 */
#pragma once

#define OBJ_NODE                                                                                   \
	"{\"metadata\":{\"name\":\"n1\",\"uid\":\"n\",\"resourceVersion\":\"1\",\"labels\":{"      \
	"\"topology.kubernetes.io/region\":\"r1\",\"topology.kubernetes.io/zone\":\"z1\"}}}"
#define OBJ_NAMESPACES                                                                             \
	"{\"metadata\":{\"name\":\"kube-system\",\"uid\":\"uid-1\",\"resourceVersion\":\"1\"}},"   \
	"{\"metadata\":{\"name\":\"istio-system\",\"uid\":\"i\",\"resourceVersion\":\"1\","        \
	"\"labels\":{\"topology.istio.io/network\":\"net-1\"}}}"
#define OBJ_POD(name, rv)                                                                          \
	"{\"metadata\":{\"namespace\":\"shop\",\"name\":\"" name "\",\"uid\":\"" name              \
	"\",\"resourceVersion\":\"" rv                                                             \
	"\",\"labels\":{\"version\":\"v1\",\"security.istio.io/tlsMode\":\"istio\"}}}"
#define OBJ_SERVICE(name)                                                                          \
	"{\"metadata\":{\"namespace\":\"shop\",\"name\":\"" name "\",\"uid\":\"s-" name            \
	"\",\"resourceVersion\":\"1\"},\"spec\":{\"ports\":[{\"name\":\"http\",\"port\":80}]}}"
#define OBJ_SLICE(name, rv, address, ready)                                                        \
	"{\"metadata\":{\"namespace\":\"shop\",\"name\":\"" name "-1\",\"uid\":\"e-" name          \
	"\",\"resourceVersion\":\"" rv "\",\"labels\":{\"kubernetes.io/service-name\":\"" name     \
	"\"}},\"addressType\":\"IPv4\",\"ports\":[{\"name\":\"http\",\"port\":8080}],"             \
	"\"endpoints\":[{\"addresses\":[\"" address "\"],\"nodeName\":\"n1\",\"conditions\":{"     \
	"\"ready\":" ready                                                                         \
	"},\"targetRef\":{\"kind\":\"Pod\",\"namespace\":\"shop\",\"name\":\"p-" name "\"}}]}"
