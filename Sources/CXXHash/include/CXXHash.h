/* SPDX-License-Identifier: Apache-2.0 */
#ifndef CXXHASH_H
#define CXXHASH_H

#include <stddef.h>
#include <stdint.h>

/* XXH64 of libxxhash. */
uint64_t torpor_xxh64(const void *bytes, size_t count, uint64_t seed);

/* XXH64 of data in pieces: the state of the library, as opaque words. */
struct torpor_xxh64_state {
	uint64_t words[11];
};

struct torpor_xxh64_state torpor_xxh64_begin(uint64_t seed);
void torpor_xxh64_add(struct torpor_xxh64_state *state, const void *bytes, size_t count);
uint64_t torpor_xxh64_sum(const struct torpor_xxh64_state *state);

#endif
