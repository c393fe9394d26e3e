# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# Read by bench/run: who is compared, on which port, with which configuration. Each uses one thread
# and two routes, to the raw and to the TLS upstream.

NAME_RAW=outbound_.5000_._.helloworld.sample.svc.cluster.local
NAME_TLS=outbound_.5443_._.helloworld.sample.svc.cluster.local
NGINX_STREAM=/usr/lib/nginx/modules/ngx_stream_module.so

declare -A PORT=([direct]=9000 [relay]=16000 [haproxy]=16010 [nginx]=16020 [envoy]=16030
	[fedway]=16040 [logged]=16050 [sampled]=16060 [other]=16070 [many]=16080 [tuned]=16090)
# The bare relay has one fixed upstream, so TLS needs another one of it.
declare -A PORT_TLS=([direct]=9443 [relay]=16001)

find_peers() {
	local missing=
	PEERS="direct relay"
	if command -v haproxy >/dev/null; then PEERS="$PEERS haproxy"; else missing="$missing haproxy"; fi
	if command -v nginx >/dev/null && [ -e "$NGINX_STREAM" ]; then
		PEERS="$PEERS nginx"
	else
		missing="$missing nginx+libnginx-mod-stream"
	fi
	if [ -x "$ENVOY" ]; then PEERS="$PEERS envoy"; else missing="$missing envoy(.ci/parts)"; fi
	PEERS="$PEERS fedway"
	[ -z "$missing" ] || say "Not installed, so not compared:$missing"
}

# haproxy_conf PORT [LINE LINE]: with one more line for global and one for defaults
haproxy_conf() {
	cat <<-EOF
	global
	    ${2:-}
	    nbthread 1
	    maxconn 9800
	    maxpipes 128
	defaults
	    ${3:-}
	    mode tcp
	    timeout connect 5s
	    timeout client 300s
	    timeout server 300s
	frontend eastwest
	    bind 127.0.0.1:$1 backlog 65535
	    maxconn 9800
	    tcp-request inspect-delay 5s
	    tcp-request content accept if { req.ssl_hello_type 1 }
	    tcp-request content reject
	    use_backend raw if { req.ssl_sni -i -m str $NAME_RAW }
	    use_backend tls if { req.ssl_sni -i -m str $NAME_TLS }
	backend raw
	    server s1 127.0.0.1:9000
	backend tls
	    server s1 127.0.0.1:9443
	EOF
}

nginx_conf() {
	cat <<-EOF
	load_module $NGINX_STREAM;
	user root;
	worker_processes 1;
	worker_rlimit_nofile 20000;
	daemon off;
	pid $TMP/nginx.pid;
	error_log $TMP/nginx.err crit;
	events { worker_connections 20000; }
	stream {
	    map_hash_bucket_size 128;
	    map \$ssl_preread_server_name \$up {
	        $NAME_RAW 127.0.0.1:9000;
	        $NAME_TLS 127.0.0.1:9443;
	        default 127.0.0.1:9999;
	    }
	    preread_timeout 5s;
	    proxy_connect_timeout 5s;
	    proxy_timeout 300s;
	    server { listen 127.0.0.1:$1 backlog=65535; ssl_preread on; proxy_pass \$up; }
	}
	EOF
}

envoy_cluster() {
	cat <<-EOF
	  - name: $1
	    connect_timeout: 5s
	    type: STATIC
	    circuit_breakers: {thresholds: [{max_connections: 100000, max_pending_requests: 100000}]}
	    load_assignment:
	      cluster_name: $1
	      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address:
	        {address: 127.0.0.1, port_value: $2}}}}]}]
	EOF
}

envoy_conf() {
	local type=type.googleapis.com/envoy.extensions.filters
	cat <<-EOF
	static_resources:
	  listeners:
	  - name: eastwest
	    address: {socket_address: {address: 127.0.0.1, port_value: $1}}
	    tcp_backlog_size: 65535
	    listener_filters_timeout: 5s
	    listener_filters:
	    - name: tls_inspector
	      typed_config: {"@type": $type.listener.tls_inspector.v3.TlsInspector}
	    filter_chains:
	    - filters:
	      - name: sni_cluster
	        typed_config: {"@type": $type.network.sni_cluster.v3.SniCluster}
	      - name: tcp
	        typed_config: {"@type": $type.network.tcp_proxy.v3.TcpProxy, stat_prefix: ew,
	          cluster: none, idle_timeout: 300s}
	  clusters:
	EOF
	envoy_cluster "$NAME_RAW" 9000
	envoy_cluster "$NAME_TLS" 9443
}

# fedway_conf PORT [MORE]: a GatewayConfig with our two routes and MORE others.
fedway_conf() {
	cat <<-EOF
	apiVersion: fedway.io/v1alpha1
	kind: GatewayConfig
	workers: 1
	locality: region1/zone1
	network: network1
	listeners:
	- {name: ingress, mode: ingress, address: 127.0.0.1, port: $1}
	routes:
	- {sni: $NAME_RAW, endpoints: [{address: 127.0.0.1, port: 9000}]}
	- {sni: $NAME_TLS, endpoints: [{address: 127.0.0.1, port: 9443}]}
	EOF
	[ "${2:-0}" -eq 0 ] || seq "$2" | awk '{
		printf "- {sni: outbound_.80_._.svc-%d.apps.svc.cluster.local, endpoints: " \
			"[{address: 10.%d.%d.1, port: 80}, {address: 10.%d.%d.2, port: 80}]}\n",
			$1, $1 / 250, $1 % 250, $1 / 250, $1 % 250 }'
}

# start_fedway NAME FOLDER ROUTES [LINE]: our gateway, with one more LINE in its configuration
start_fedway() {
	{
		fedway_conf "${PORT[$1]}" "$3"
		[ -z "${4:-}" ] || printf '%s\n' "$4"
	} >"$TMP/$1.yaml"
	spawn "$1" "$PROXY_CPU" "$2/fedway-gateway" --config "$TMP/$1.yaml" --drain-delay 0s \
		--drain-timeout 0s
}

start_peer() {
	local p=$1 at=${PORT[$1]}
	case $p in
	direct) return ;;
	relay)
		spawn relay-tls "$PROXY_CPU" "$BENCH_BIN/bench-relay" 127.0.0.1:16001 127.0.0.1:9443 "$NAME_TLS"
		spawn relay "$PROXY_CPU" "$BENCH_BIN/bench-relay" "127.0.0.1:$at" 127.0.0.1:9000 "$NAME_RAW"
		;;
	haproxy)
		haproxy_conf "$at" >"$TMP/haproxy.cfg"
		spawn haproxy "$PROXY_CPU" haproxy -db -f "$TMP/haproxy.cfg"
		;;
	tuned) # for bulk: buffers and pipes of its own choice are 16 and 64 KiB, without splice
		haproxy_conf "$at" $'tune.bufsize 65536\n    tune.pipesize 262144' "option splice-auto" \
			>"$TMP/tuned.cfg"
		spawn tuned "$PROXY_CPU" haproxy -db -f "$TMP/tuned.cfg"
		;;
	nginx)
		nginx_conf "$at" >"$TMP/nginx.conf"
		spawn nginx "$PROXY_CPU" nginx -c "$TMP/nginx.conf"
		;;
	envoy)
		envoy_conf "$at" >"$TMP/envoy.yaml"
		spawn envoy "$PROXY_CPU" "$ENVOY" -c "$TMP/envoy.yaml" --concurrency 1 \
			--disable-hot-restart -l error
		;;
	fedway) start_fedway fedway "$FEDWAY_BIN" "${2:-0}" ;;
	logged) start_fedway logged "$FEDWAY_BIN" 0 "accessLog: {path: $TMP/access.log}" ;;
	sampled) start_fedway sampled "$FEDWAY_BIN" 0 "accessLog: {path: $TMP/sample.log, sample: 0.01}" ;;
	other) start_fedway other "$OTHER_BIN" 0 ;;
	many) start_fedway many "$FEDWAY_BIN" 9998 ;;
	esac
	wait_port "$p" "$at"
}

stop_peer() {
	stop "$1"
	[ "$1" != relay ] || stop relay-tls
}

# targets PATTERN: --target words of all peers for bench-load
targets() {
	local p at group
	for p in $PEERS; do
		at=${PORT[$p]} group=$GROUPS_AT/$p
		if [ "$1" = conntls ] && [ -n "${PORT_TLS[$p]:-}" ]; then
			at=${PORT_TLS[$p]} group=$GROUPS_AT/$p-tls
		fi
		[ "$p" != direct ] || group=-
		printf '%s %s,127.0.0.1:%s,%s ' --target "$p" "$at" "$group"
	done
}
