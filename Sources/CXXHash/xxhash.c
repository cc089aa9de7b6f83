/* The library as its header alone, with nothing of it but XXH64: rootfs.gz has no room for the rest. */
#define XXH_INLINE_ALL
#define XXH_NO_XXH3
#include <xxhash.h>

#include "CXXHash.h"

/* Within a page, as emulators look up each jump to another one. */
__attribute__((aligned(1024))) uint64_t torpor_xxh64(const void *bytes, size_t count, uint64_t seed)
{
	return XXH64(bytes, count, seed);
}
