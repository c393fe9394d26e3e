/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One Cluster, level-triggered: kubeconfig from its Secret, the watcher, the mesh's idea of it,
 * what is made in it, its certificate, its status; and, when it is being deleted, the way out.
 */
#include "control_priv.h"

#include "base/alloc.h"
#include "base/log.h"
#include "certs/key.h"
#include "kube/base64.h"

/* --- kubeconfig ---------------------------------------------------------------------------------
 */

static bool read_secret(const struct control *control, const struct cluster_spec *spec,
                        struct kubeconfig *ret_config, struct err *err)
{
	char key[KUBE_KEY_MAX];
	if (!kube_key_make(str_from(spec->secret_namespace), str_from(spec->secret_name), key))
		return err_set(err, ERR_INVALID, "spec.kubeconfigSecretRef names no Secret");
	const json_t *secret = control_object(control, KIND_SECRET, key);
	if (secret == NULL)
		return err_set(err, ERR_NOT_FOUND, "Secret '%s' is not there", key);
	const char *value = json_string_value(
		json_object_get(json_object_get(secret, "data"), spec->secret_key));
	if (value == NULL)
		return err_set(err, ERR_INVALID, "Secret '%s' has no key '%s'", key,
		               spec->secret_key);
	if (strlen(value) > KUBECONFIG_TEXT_MAX)
		return err_set(err, ERR_TOO_LARGE, "the kubeconfig in Secret '%s' is too large",
		               key);
	struct buf text CLEANUP(buf_fini);
	buf_init(&text, KUBECONFIG_TEXT_MAX);
	if (!kube_base64_decode(str_from(value), &text))
		return err_set(err, ERR_INVALID, "data['%s'] of Secret '%s' is not base64",
		               spec->secret_key, key);
	return kubeconfig_parse(buf_str(&text), key, NULL, ret_config, err);
}

static void take_kubeconfig(struct control *control, struct member *member)
{
	struct kubeconfig config = {0};
	struct err err;
	if (!read_secret(control, &member->spec, &config, &err)) {
		/* a missing Secret is waited for; a bad one is told; the last good one stays */
		member->secret_err = err;
		if (err.code == ERR_NOT_FOUND)
			member->secret_err.msg[0] = '\0';
		return;
	}
	member->secret_err.msg[0] = '\0';
	if (member->has_kubeconfig && kubeconfig_eq(&config, &member->kubeconfig)) {
		kubeconfig_fini(&config);
		return;
	}
	kubeconfig_fini(&member->kubeconfig);
	member->kubeconfig = config;
	member->has_kubeconfig = true;
	control_member_connect(control, member);
	if (!discovery_put(control->discovery, member->spec.name, &member->kubeconfig, &err))
		member->secret_err = err;
}

/* --- into the mesh ------------------------------------------------------------------------------
 */

static void update_mesh(struct control *control, const struct member *member)
{
	struct mesh_cluster cluster = {
		.name = member->spec.name,
		.network = member->spec.network,
		.locality = member->spec.locality,
		.created_s = member->spec.created_s,
		.withdrawn = member->leave != MEMBER_STAYS,
		.why_withdrawn = member->leave != MEMBER_STAYS ? "it leaves the mesh" : "",
	};
	mesh_builder_set_cluster(control->builder, &cluster);
	control_publish_soon(control);
}

static void leave_out(struct control *control, struct member *member)
{
	control_member_halt(member);
	mesh_builder_remove_cluster(control->builder, member->spec.name);
	control_publish_soon(control);
}

/* How long it still has to answer after a start; ≤ 0: it had its time. */
static int64_t answer_left_ms(const struct control *control, const struct member *member)
{
	return member->added_ms + CONTROL_COPY_MS - loop_now_ms(control->loop);
}

/* Complete, or away for so long that its copy counts: nothing of it is held any longer. */
static void judge_complete(struct control *control, struct member *member,
                           const struct discovery_status *seen)
{
	int64_t left_ms = answer_left_ms(control, member);
	if (member->complete)
		return;
	enum status_source source = status_source(member, seen, left_ms <= 0);
	member->lost = source == SOURCE_LOST;
	if (source == SOURCE_LOST || source == SOURCE_NOT_YET) {
		if (left_ms > 0)
			control_enqueue(control, KIND_CLUSTER, member->spec.name, left_ms);
		return;
	}
	member->complete = true;
	log_info("control", "cluster counts  cluster=%s from=%s services=%zu", member->spec.name,
	         status_source_word(source), seen->services);
	ads_set_complete(control->ads, member->spec.name);
	control_enqueue_all(control, KIND_SERVICE);
}

/* --- its certificate ----------------------------------------------------------------------------
 */

static struct status_certificate certificate_of(struct control *control,
                                                const struct member *member,
                                                char serial[CERT_SERIAL_MAX])
{
	struct status_certificate certificate = {.serial = ""};
	struct err err;
	/* asking makes one, and it has just been deleted */
	if (member->leave == MEMBER_GONE)
		return certificate;
	const struct cert_ca *ca = cert_store_cluster(control->store, member->spec.name,
	                                              control_now(control).wall_s, &err);
	if (ca == NULL) {
		log_error("control", "no intermediate for cluster %s: %s", member->spec.name,
		          err.msg);
		return certificate;
	}
	certificate.serial = cert_x509_serial(cert_ca_x509(ca), serial);
	certificate.not_after_s = cert_ca_not_after(ca);
	return certificate;
}

/* --- all ----------------------------------------------------------------------------------------
 */

static void add_finalizer(struct control *control, const json_t *obj)
{
	json_t *copy = json_deep_copy(obj);
	kube_finalizer_add(copy, CONTROL_FINALIZER);
	json_t *patch = json_pack("{s{sO sO}}", "metadata", "finalizers",
	                          json_at(copy, "metadata.finalizers"), "resourceVersion",
	                          json_at(copy, "metadata.resourceVersion"));
	control_patch(control, KIND_CLUSTER, obj, patch);
	json_decref(copy);
}

static void forget(struct control *control, const char *key)
{
	struct member *member = world_member(&control->world, key);
	if (member == NULL)
		return;
	control_member_disconnect(member);
	discovery_remove(control->discovery, key);
	mesh_builder_remove_cluster(control->builder, key);
	ads_forget(control->ads, key);
	world_remove_member(&control->world, key);
	control_update_networks(control);
	control_publish_soon(control);
	control_enqueue_all(control, KIND_SERVICE);
	control_enqueue_all(control, KIND_CLUSTER);
	control_enqueue(control, KIND_MESH, "default", 0);
}

static void follow(struct control *control, struct member *member)
{
	struct err err;
	bool is_new = !member->followed;
	if (is_new) {
		member->followed = true;
		ads_expect(control->ads, member->spec.name);
		/* its copy, if there is one, before anything is published */
		if (!discovery_put(control->discovery, member->spec.name, NULL, &err))
			log_error("control", "cluster %s: %s", member->spec.name, err.msg);
		control_update_networks(control);
	}
	take_kubeconfig(control, member);
	discovery_set_paused(control->discovery, member->spec.name, member->spec.paused);
}

/* Another Cluster may be the same real one, or no longer. */
static void learn_uid(struct control *control, struct member *member, const char *uid)
{
	if (uid[0] == '\0' || (member->uid != NULL && strcmp(member->uid, uid) == 0))
		return;
	bool is_first = member->uid == NULL;
	free(member->uid);
	member->uid = xstrdup(uid);
	map_for_each (it, &control->world.members) {
		const struct member *other = map_value(it);
		if (!is_first || strcmp(world_uid(other), uid) == 0)
			control_enqueue(control, KIND_CLUSTER, other->spec.name, 0);
	}
}

static void find_twin(struct control *control, struct member *member)
{
	const char *twin = world_older_twin(&control->world, member->spec.name);
	/* what this one may have written until now is put right */
	if (twin != NULL && member->clash == NULL)
		control_member_look_again(world_member(&control->world, twin));
	free(member->clash);
	member->clash = twin != NULL ? xstrdup(twin) : NULL;
}

static void write_status(struct control *control, struct member *member, const json_t *obj,
                         const struct discovery_status *seen)
{
	char serial[CERT_SERIAL_MAX];
	/* asked for also when nothing is written: asking makes one */
	struct status_certificate certificate = certificate_of(control, member, serial);
	int64_t left_ms = answer_left_ms(control, member);
	if (!status_is_known(member, seen, left_ms <= 0)) {
		control_enqueue(control, KIND_CLUSTER, member->spec.name, left_ms);
		return;
	}
	control_write_status(control, KIND_CLUSTER, obj,
	                     status_cluster(obj, member, seen, &certificate, control_now(control)));
}

void control_reconcile_cluster(struct control *control, const char *key)
{
	struct err err;
	struct discovery_status seen;
	const json_t *obj = control_object(control, KIND_CLUSTER, key);
	if (obj == NULL) {
		forget(control, key);
		return;
	}
	if (!world_set_member(&control->world, obj, loop_now_ms(control->loop), &err)) {
		log_warn("control", "Cluster '%s' left as it was: %s", key, err.msg);
		return;
	}
	struct member *member = world_member(&control->world, key);
	follow(control, member);
	bool known = discovery_status(control->discovery, key, &seen);
	if (known)
		learn_uid(control, member, seen.uid);
	find_twin(control, member);
	if (member->clash == NULL)
		update_mesh(control, member);
	else
		leave_out(control, member);
	if (known)
		judge_complete(control, member, &seen);
	if (member->spec.deleting) {
		control_member_leave(control, member, obj);
		obj = control_object(control, KIND_CLUSTER, key);
	} else if (!kube_finalizer_has(obj, CONTROL_FINALIZER)) {
		add_finalizer(control, obj);
	} else if (known && seen.reachable && seen.uid[0] != '\0' && member->clash == NULL) {
		/* with its uid known: what is made there must not be another Cluster's */
		control_member_install(control, member);
	}
	write_status(control, member, obj, known ? &seen : NULL);
}

/* A Secret matters to the Clusters that name it. */
void control_reconcile_secret(struct control *control, const char *key)
{
	map_for_each (it, &control->world.members) {
		const struct member *member = map_value(it);
		char wanted[KUBE_KEY_MAX];
		if (kube_key_make(str_from(member->spec.secret_namespace),
		                  str_from(member->spec.secret_name), wanted) &&
		    strcmp(wanted, key) == 0)
			control_enqueue(control, KIND_CLUSTER, member->spec.name, 0);
	}
}
