// SPDX-License-Identifier: Apache-2.0
#include "CVersion.h"

/* clang 21 calls #embed an extension in every standard, C23 included. */
#pragma clang diagnostic ignored "-Wc23-extensions"

/* The compiler lists VERSION among this file's dependencies, so a change of VERSION compiles it again. */
static const char version[] = {
#embed "../../VERSION" suffix(, '\0')
};

const char *torpor_version(void)
{
	return version;
}
