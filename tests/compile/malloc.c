/* VAE_MALLOC and VAE_FREE: all memory comes from here, all of it comes back, and malloc is not even
 * linked by the implementation (run.sh looks at the object file). */
#include <stddef.h>

static double store[1 << 17];
static size_t pool_used;
static int blocks, allocations;

static void *pool_alloc(size_t size) {
    void *p = store + pool_used;
    size = (size + 15) / 16 * 2; /* in doubles, 16 bytes at a time */
    if (size > sizeof store / sizeof *store - pool_used) return NULL;
    pool_used += size;
    blocks++;
    allocations++;
    return p;
}

static void pool_free(void *p) {
    if (p) blocks--;
}

#define VAE_MALLOC(size) pool_alloc(size)
#define VAE_FREE(ptr) pool_free(ptr)
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) {
    if (loop()) return 1;
    if (!allocations || blocks) return loop_fail("store", "blocks were lost, or none was taken");
    return 0;
}
