// Eigen for bench/peers.c: C (m, n) = op(A) op(B), row-major without gaps; flags as in vae_gemm.
// Compiled to a shared object on demand, once per instruction set (see the Makefile).
#include <Eigen/Core>

typedef Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> matrix;
typedef Eigen::Matrix<float, 1, Eigen::Dynamic> row;
typedef Eigen::Map<const matrix> view;

// One row times a matrix is a type of its own in Eigen, and faster as such.
template <class Left, class Out>
static void product(int transposed, long n, long k, const Left &left, const float *b, Out &out) {
    if (transposed) out.noalias() = left * view(b, n, k).transpose();
    else out.noalias() = left * view(b, k, n);
}

extern "C" void bench_eigen(int flags, long m, long n, long k, const float *a, const float *b,
                            float *c) {
    Eigen::Map<matrix> out(c, m, n);
    if (m == 1) {
        Eigen::Map<row> one(c, n);
        product(flags & 2, n, k, Eigen::Map<const row>(a, k), b, one);
    } else if (flags & 1) product(flags & 2, n, k, view(a, k, m).transpose(), b, out);
    else product(flags & 2, n, k, view(a, m, k), b, out);
}

extern "C" const char *bench_eigen_about() {
#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
    return TEXT(EIGEN_WORLD_VERSION) "." TEXT(EIGEN_MAJOR_VERSION) "." TEXT(EIGEN_MINOR_VERSION)
#if defined(EIGEN_VECTORIZE_AVX512)
        ", AVX-512";
#elif defined(EIGEN_VECTORIZE_FMA)
        ", AVX2 and FMA";
#else
        ", no FMA";
#endif
}
