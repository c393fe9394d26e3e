/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

#define ADS_DELTA_PATH                                                                             \
	"/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"

enum {
	ADS_REQUEST_MAX = 16 << 20,       /* one request: it may name all that is held */
	ADS_QUEUE_MAX = 24 << 20,         /* unsent bytes of one stream ... */
	ADS_QUEUE_LOW = ADS_QUEUE_MAX / 4 /* ... and where on_drain tells that there is room */
};
