/* SPDX-License-Identifier: Apache-2.0 */

/* ZSTD_estimateCCtxSize_usingCParams is declared for static linking only, which /init and torpor do. */
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>
