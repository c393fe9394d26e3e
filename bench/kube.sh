# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Read by bench/run: part `api`, the hosted API beside kube-apiserver with etcd. Both write to the
# same disk and wait for it.

PARTS=${PARTS:-$ROOT/build/parts/bin}
FED_API=127.0.0.1:16443
KUBE_API=127.0.0.1:16444

# issue NAME SUBJECT [EXTENSION]: $TMP/kube/NAME.crt and .key, signed by its ca
issue() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" \
		-keyout "$TMP/kube/$1.key" -out "$TMP/kube/$1.csr" 2>/dev/null
	openssl x509 -req -days 2 -in "$TMP/kube/$1.csr" -CA "$TMP/kube/ca.crt" -CAkey "$TMP/kube/ca.key" \
		-CAcreateserial -out "$TMP/kube/$1.crt" -extfile <(echo "${3:-}") 2>/dev/null
}

kube_identities() {
	mkdir "$TMP/kube"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=kube \
		-keyout "$TMP/kube/ca.key" -out "$TMP/kube/ca.crt" 2>/dev/null
	issue serving /CN=kube-apiserver subjectAltName=IP:127.0.0.1
	issue admin /O=system:masters/CN=admin
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$TMP/kube/sa.key" 2>/dev/null
	openssl pkey -in "$TMP/kube/sa.key" -pubout -out "$TMP/kube/sa.pub"
}

# kube_words PREFIX: the command of a kube-apiserver on data of its own in etcd
kube_words() {
	local at=$TMP/kube
	KUBE=("$PARTS/kube-apiserver" --etcd-servers=http://127.0.0.1:16379 --etcd-prefix="/$1"
		--bind-address=127.0.0.1 --secure-port="${KUBE_API#*:}" --cert-dir="$at"
		--advertise-address=192.0.2.1 # nobody asks for it; one on loopback is refused
		--tls-cert-file="$at/serving.crt" --tls-private-key-file="$at/serving.key"
		--client-ca-file="$at/ca.crt" --authorization-mode=RBAC
		--service-account-issuer=https://kubernetes.default.svc
		--service-account-signing-key-file="$at/sa.key"
		--service-account-key-file="$at/sa.pub" --service-cluster-ip-range=10.96.0.0/16
		--disable-admission-plugins=ServiceAccount --endpoint-reconciler-type=none)
}

# One group for the whole of it, as etcd is the API server's store, with one for each below.
start_etcd() {
	mkdir -p "$GROUPS_AT/kube"
	spawn kube/etcd "$PROXY_CPU" "$PARTS/etcd" --data-dir="$TMP/etcd" --log-level=warn \
		--listen-client-urls=http://127.0.0.1:16379 --advertise-client-urls=http://127.0.0.1:16379 \
		--listen-peer-urls=http://127.0.0.1:16380
	wait_port kube/etcd 16379
}

# starts_of TITLE ADDRESS WORD...: three starts with new data; {} in a word is their number
starts_of() {
	local title=$1 at=$2 i times=
	shift 2
	for i in 1 2 3; do
		times="$times $("$BENCH_BIN/bench-ready" "$at" /readyz "${@//\{\}/$i}" 2>>"$TMP/start.log")"
	done
	# shellcheck disable=SC2086
	start_row "$title" $times
}

api_starts() {
	say
	say "Start with new data: exec to the first GET /readyz answered, ms, of 3"
	printf '  %-40s %10s %10s %10s\n' "" least median most
	starts_of "fedwayd --role=member" "$FED_API" "$FEDWAY_BIN/fedwayd" --data-dir "$TMP/api-start-{}" \
		--role=member --api-listen "$FED_API"
	kube_words "start-{}"
	starts_of "kube-apiserver (etcd runs already)" "$KUBE_API" "${KUBE[@]}"
}

# wait_answer ADDRESS: until it says that it is ready
wait_answer() {
	local _
	for _ in $(seq 300); do
		[ "$(curl -sk "https://$1/readyz")" = ok ] && return
		sleep 0.1
	done
	die "$1 is not ready: see $TMP"
}

start_apis() {
	spawn member "$PROXY_CPU" "$FEDWAY_BIN/fedwayd" --data-dir "$TMP/member" --role member \
		--api-listen "$FED_API"
	kube_words bench
	spawn kube/apiserver "$PROXY_CPU" "${KUBE[@]}"
	wait_answer "$FED_API"
	wait_answer "$KUBE_API"
	local word
	for word in certificate key; do
		awk -v key="client-$word-data:" '$1 == key { print $2 }' "$TMP/member/admin.kubeconfig" |
			base64 -d >"$TMP/member/$word.pem"
	done
}

# memory_of_apis TITLE: resident and PSS, as they are now
memory_of_apis() {
	say
	say "Memory $1, KiB"
	memory_row "" resident PSS
	# shellcheck disable=SC2046
	{
		memory_row "fedwayd --role=member" $(memory member)
		memory_row "kube-apiserver" $(memory kube/apiserver)
		memory_row "etcd" $(memory kube/etcd)
	}
}

bench_api() {
	local at=$TMP/kube word
	for word in etcd kube-apiserver; do
		[ -x "$PARTS/$word" ] || {
			say "  api: left out, no $PARTS/$word (.ci/parts $word)"
			return
		}
	done
	kube_identities
	start_etcd
	api_starts
	start_apis
	sleep 2
	memory_of_apis "at rest, new data"
	load_api "$B" "fedwayd,$FED_API,$TMP/member/certificate.pem,$TMP/member/key.pem,$GROUPS_AT/member" \
		"kube,$KUBE_API,$at/admin.crt,$at/admin.key,$GROUPS_AT/kube" >"$TMP/api.txt" || die "no load"
	say
	say "One client: CPU, us each, and latency, us, of kube-apiserver with etcd and of fedwayd"
	awk -f "$HERE/stats.awk" -f "$HERE/pairs.awk" "$TMP/api.txt"
	memory_of_apis "after the load"
	stop member kube/apiserver kube/etcd kube
}
