/* SPDX-License-Identifier: Apache-2.0 */
#include "mesh_outages_priv.h"

#include <stdlib.h>

#include "base/alloc.h"

static void free_outage(struct mesh_outage *outage)
{
	free((char *)(uintptr_t)outage->network);
	free((char *)(uintptr_t)outage->sni);
	free((char *)(uintptr_t)outage->why);
}

static struct mesh_outage copy_outage(const struct mesh_outage *from)
{
	return (struct mesh_outage){xstrdup(from->network), xstrdup(from->sni), xstrdup(from->why)};
}

void mesh_outages_fini(struct mesh_outages *outages)
{
	for (size_t i = 0; i < outages->n; i++)
		free_outage(&outages->list[i]);
	free(outages->list);
	*outages = (struct mesh_outages){0};
}

void mesh_outages_copy(struct mesh_outages *to, const struct mesh_outages *from)
{
	*to = (struct mesh_outages){.n = from->n};
	if (from->n > 0)
		to->list = xcalloc(from->n, sizeof(to->list[0]));
	for (size_t i = 0; i < from->n; i++)
		to->list[i] = copy_outage(&from->list[i]);
}

static int compare(const struct mesh_outage *outage, const char *network, const char *sni)
{
	int cmp = strcmp(outage->network, network);

	return cmp != 0 ? cmp : strcmp(outage->sni, sni);
}

/* Where it is, or would be. */
static size_t place_of(const struct mesh_outages *outages, const char *network, const char *sni)
{
	size_t i = 0;

	while (i < outages->n && compare(&outages->list[i], network, sni) < 0)
		i++;
	return i;
}

const struct mesh_outage *mesh_outages_find(const struct mesh_outages *outages, const char *network,
                                            const char *sni)
{
	size_t i = place_of(outages, network, sni);
	bool is_there = i < outages->n && compare(&outages->list[i], network, sni) == 0;

	return is_there ? &outages->list[i] : NULL;
}

bool mesh_outages_put(struct mesh_outages *outages, const struct mesh_outage *outage)
{
	size_t i = place_of(outages, outage->network, outage->sni);

	if (i < outages->n && compare(&outages->list[i], outage->network, outage->sni) == 0) {
		if (strcmp(outages->list[i].why, outage->why) == 0)
			return false;
		free((char *)(uintptr_t)outages->list[i].why);
		outages->list[i].why = xstrdup(outage->why);
		return true;
	}
	outages->list = xrealloc(outages->list, (outages->n + 1) * sizeof(outages->list[0]));
	memmove(&outages->list[i + 1], &outages->list[i],
	        (outages->n - i) * sizeof(outages->list[0]));
	outages->list[i] = copy_outage(outage);
	outages->n++;
	return true;
}

bool mesh_outages_drop(struct mesh_outages *outages, const char *network, const char *sni)
{
	size_t i = place_of(outages, network, sni);

	if (i == outages->n || compare(&outages->list[i], network, sni) != 0)
		return false;
	free_outage(&outages->list[i]);
	outages->n--;
	memmove(&outages->list[i], &outages->list[i + 1],
	        (outages->n - i) * sizeof(outages->list[0]));
	return true;
}

bool mesh_outages_eq(const struct mesh_outages *a, const struct mesh_outages *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++) {
		if (compare(&a->list[i], b->list[i].network, b->list[i].sni) != 0 ||
		    strcmp(a->list[i].why, b->list[i].why) != 0)
			return false;
	}
	return true;
}
