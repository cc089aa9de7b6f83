/* SPDX-License-Identifier: Apache-2.0 */

/* The header declares ZSTD_estimateCCtxSize_usingCParams only for static linking; /init and torpor link statically. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>
