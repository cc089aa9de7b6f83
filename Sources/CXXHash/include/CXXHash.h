#ifndef CXXHASH_H
#define CXXHASH_H

#include <stddef.h>
#include <stdint.h>

/* XXH64, as libxxhash has it. */
uint64_t torpor_xxh64(const void *bytes, size_t count, uint64_t seed);

#endif
