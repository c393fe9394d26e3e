/* SPDX-License-Identifier: Apache-2.0 */
#include "control/control.h"

int main(int argc, char **argv)
{
	struct ew_options options;
	int status = options_start(&ew_options_spec, argc, argv, &options);
	if (status < 0)
		status = ew_control_run(&options);
	options_fini(&ew_options_spec, &options);
	return status;
}
