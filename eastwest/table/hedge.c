/* SPDX-License-Identifier: Apache-2.0 */
#include "table/hedge.h"

void ew_hedge_init(struct ew_hedge *hedge)
{
	hedge->credit = EW_HEDGE_BURST * EW_HEDGE_DIALS;
}

void ew_hedge_on_dial(struct ew_hedge *hedge)
{
	if (hedge->credit < EW_HEDGE_BURST * EW_HEDGE_DIALS)
		hedge->credit++;
}

bool ew_hedge_may(const struct ew_hedge *hedge)
{
	return hedge->credit >= EW_HEDGE_DIALS;
}

void ew_hedge_on_hedge(struct ew_hedge *hedge)
{
	hedge->credit -= EW_HEDGE_DIALS;
}
