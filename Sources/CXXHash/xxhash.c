// SPDX-License-Identifier: Apache-2.0

/* Only the header of the library, and only XXH64, to keep rootfs.gz small. */
#define XXH_INLINE_ALL
#define XXH_NO_XXH3
#include <string.h>
#include <xxhash.h>

#include "CXXHash.h"

/* Aligned so that it lies within one page: an emulator looks up each jump to another page. */
__attribute__((aligned(1024))) uint64_t torpor_xxh64(const void *bytes, size_t count, uint64_t seed)
{
	return XXH64(bytes, count, seed);
}

_Static_assert(sizeof(struct torpor_xxh64_state) == sizeof(XXH64_state_t), "the state has a different size");

struct torpor_xxh64_state torpor_xxh64_begin(uint64_t seed)
{
	XXH64_state_t own;
	struct torpor_xxh64_state state;

	XXH64_reset(&own, seed);
	memcpy(&state, &own, sizeof(state));
	return state;
}

void torpor_xxh64_add(struct torpor_xxh64_state *state, const void *bytes, size_t count)
{
	XXH64_state_t own;

	memcpy(&own, state, sizeof(own));
	XXH64_update(&own, bytes, count);
	memcpy(state, &own, sizeof(own));
}

uint64_t torpor_xxh64_sum(const struct torpor_xxh64_state *state)
{
	XXH64_state_t own;

	memcpy(&own, state, sizeof(own));
	return XXH64_digest(&own);
}
