/* C++20: `{0}` and designated initialisers give what `{}` gives, without a warning of -Wextra, for each
 * struct that a user fills in part. A member without VAE_0 fails to compile here. */
#include "../../vae.h"
#include "loop.h"
#include <type_traits>

template <class T> constexpr bool plain =
    std::is_aggregate<T>::value && std::is_standard_layout<T>::value && std::is_trivially_copyable<T>::value;
static_assert(plain<vae_desc> && plain<vae_batch> && plain<vae_load_options> && plain<vae_stream> &&
              plain<vae_gemm_desc>, "still the structs of C");

static vae_desc zero_desc = {0};
static vae_batch zero_batch = {0};
static vae_load_options zero_options = {0};
static vae_stream zero_stream = {0};
static vae_gemm_desc zero_gemm = {0};

template <class T> static bool same(const T &a, const T &b) { return !memcmp(&a, &b, sizeof a); }

int main() {
    static vae_desc desc = {.encoder = "dense 9 tanh", .latent = 8};
    static vae_batch batch = {.rows = 64};
    static vae_load_options options = {.inference = 1};
    static vae_stream stream = {.purpose = VAE_PURPOSE_USER};
    static vae_gemm_desc gemm = {.m = 1, .n = 2, .k = 3, .act = VAE_ACT_RELU};
    if (!desc.encoder || desc.latent != 8 || batch.rows != 64 || options.inference != 1 || stream.purpose != 128 ||
        gemm.k != 3 || gemm.act != VAE_ACT_RELU)
        return loop_fail("designated", "a member is not what was given");
    desc.encoder = NULL, desc.latent = 0, batch.rows = 0, options.inference = 0, stream.purpose = 0;
    gemm.m = gemm.n = gemm.k = 0, gemm.act = VAE_ACT_IDENTITY;
    if (!same(desc, zero_desc) || !same(batch, zero_batch) || !same(options, zero_options) ||
        !same(stream, zero_stream) || !same(gemm, zero_gemm))
        return loop_fail("designated", "a member that was not given is not zero");
    return loop();
}
