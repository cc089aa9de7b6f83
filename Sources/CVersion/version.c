// SPDX-License-Identifier: Apache-2.0
#include "CVersion.h"

/* clang 21 reports #embed as an extension in every standard, C23 included. */
#pragma clang diagnostic ignored "-Wc23-extensions"

/* The compiler lists VERSION as a dependency of this file, so a change of VERSION recompiles it. */
static const char version[] = {
#embed "../../VERSION" suffix(, '\0')
};

const char *torpor_version(void)
{
	return version;
}
