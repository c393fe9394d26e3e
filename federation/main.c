/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon.h"

int main(int argc, char **argv)
{
	struct daemon_options options;
	int status = options_start(&daemon_options_spec, argc, argv, &options);
	if (status < 0)
		status = daemon_run(&options);
	options_fini(&daemon_options_spec, &options);
	return status;
}
