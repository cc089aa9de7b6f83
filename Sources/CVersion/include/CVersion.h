/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CVERSION_H
#define CVERSION_H

/* The text of the file VERSION: MAJOR.MINOR.PATCH and a newline. */
const char *torpor_version(void);

#endif
