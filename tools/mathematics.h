/* ======================================================================================
 * mathematics.h   roots, sines and quantiles, since there is no libm
 * uses: platform.h
 * tests: tests/test_tool.sh (paths of interpolate, planes of manifold)
 * ==================================================================================== */
#ifndef VAE_TOOL_MATHEMATICS_H
#define VAE_TOOL_MATHEMATICS_H
#include "platform.h"

/* Where a function that rises from `low` to `high` takes the value y, by halving: to the last bit
 * but for the error of f. Slow and plain; asked a few hundred times at most. */
static double inverse(double (*f)(double), double y, double low, double high)
{
    for (int i = 0; i < 100; i++) {
        double middle = low + (high - low) / 2;
        if (f(middle) < y) low = middle;
        else high = middle;
    }
    return low + (high - low) / 2;
}

static double square(double x) { return x * x; }

static double root(double x) { return inverse(square, x, 0, x < 1 ? 1 : x); }

/* sin for |x| <= 8 by its series, within 1e-12 there. */
static double sine(double x)
{
    double term = x, sum = x;
    for (int k = 2; k < 60; k += 2) {
        term *= -x * x / (k * (k + 1));
        sum += term;
    }
    return sum;
}

static double minus_cosine(double x) { return sine(x - 1.57079632679489661923); }

/* The standard normal distribution function for |x| <= 5, by the series of erf; within 1e-10. */
static double normal_cdf(double x)
{
    double power = x, sum = x;
    for (int k = 1; k < 120; k++) {
        power *= -x * x / (2 * k);
        sum += power / (2 * k + 1);
    }
    return 0.5 + 0.39894228040143267794 * sum;
}

/* Its inverse for p in [1e-4, 1 - 1e-4]; within 1e-8. */
static double normal_quantile(double p) { return inverse(normal_cdf, p, -5, 5); }

#endif
