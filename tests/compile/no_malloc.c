/* VAE_NO_MALLOC: what has neither a block nor hooks gets ERR_MEMORY; with hooks all goes well (run.sh looks
 * at the object file for malloc and free). */
#define VAE_NO_MALLOC
#include "../../vae.h"
#include <stddef.h>
static char no_malloc_block[1 << 20];
static size_t no_malloc_used;
static void *take(size_t size, void *user) {
    char *block = no_malloc_block + no_malloc_used;
    (void)user;
    no_malloc_used += (size + 63) & ~(size_t)63;
    return no_malloc_used <= sizeof no_malloc_block ? block : NULL;
}
static void drop(void *block, size_t size, void *user) { (void)block, (void)size, (void)user; }
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#define LOOP_ALLOCATOR(a) ((a).alloc = take, (a).release = drop)
#include "loop.h"

int main(void) {
    vae_desc desc;
    vae *model = NULL;
    memset(&desc, 0, sizeof desc);
    desc.input = "12";
    if (vae_create(&desc, &model, NULL) != VAE_ERR_MEMORY) return loop_fail("create", "found memory");
    return loop();
}
