/* VAE_NO_THREADS: more than one thread is refused; a hook still divides; the same bits. */
#define VAE_NO_THREADS
#define VAE_IMPLEMENTATION
#include "../../vae.h"
#include "loop.h"

int main(void) {
    vae_desc d = {0};
    vae *m = NULL;
    vae_pool *pool = NULL;
    d.input = "4", d.threads = 2;
    if (vae_create(&d, &m, NULL) != VAE_ERR_UNSUPPORTED || m) return loop_fail("2 threads", "made");
    if (vae_pool_create(2, NULL, &pool, NULL) != VAE_ERR_UNSUPPORTED)
        return loop_fail("a pool of 2", "made");
    if (vae_pool_create(1, NULL, &pool, NULL)) return loop_fail("a pool of 1", "not made");
    vae_pool_destroy(pool);
    return loop();
}
