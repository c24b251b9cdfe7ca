#!/usr/bin/env python3
"""Fits the polynomials of vae.h's elementary functions.

    python3 tools/minimax.py            prints every table as it stands in vae.h, with its error
    python3 tools/minimax.py exp log    only these

Needs NumPy (Debian: python3-numpy) and a long double of 64 bits or more (the digits in vae.h were
made on x86-64). Takes two seconds.

Each fit minimises the largest weighted error |weight(x) (p(x) - f(x))| over an interval by
Lawson's iteration. The weight turns an error of p into an error of the final result, in units of
2^-24 relative to that result (an ulp at the top of a binade, half of one at the bottom). Then the
coefficients are rounded to float one after another, lowest degree first, and the rest is fitted
again each time, so that the later ones make up for the rounding of the earlier. No randomness: the
same digits every time.
"""
import sys
import numpy as np

L = np.longdouble
LN2 = np.log(L(2))
PI = 4 * np.arctan(L(1))
GRID, ROUNDS = 301, 200


def least_squares(a, b):
    """Modified Gram-Schmidt in long double (LAPACK would round to double)."""
    a, b, n = a.copy(), b.copy(), a.shape[1]
    r, y = np.zeros((n, n), L), np.zeros(n, L)
    for i in range(n):
        r[i, i] = np.sqrt(a[:, i] @ a[:, i])
        a[:, i] /= r[i, i]
        r[i, i + 1:] = a[:, i] @ a[:, i + 1:]
        a[:, i + 1:] -= np.outer(a[:, i], r[i, i + 1:])
        y[i] = a[:, i] @ b
        b -= y[i] * a[:, i]
    c = np.zeros(n, L)
    for i in reversed(range(n)):
        c[i] = (y[i] - r[i, i + 1:] @ c[i + 1:]) / r[i, i]
    return c


def minimax(x, f, w, powers):
    """Coefficients of x**powers that minimise max |w (p - f)| on the grid x (Lawson)."""
    basis = np.stack([x ** p for p in powers], 1)
    share = np.ones(len(x), L) / len(x)
    best, least = None, np.inf
    for _ in range(ROUNDS):
        v = np.sqrt(share) * w
        c = least_squares(basis * v[:, None], f * v)
        e = abs(w * (basis @ c - f))
        if max(e) < least:
            best, least = c, max(e)
        share = share * e / (share @ e)
        share = np.maximum(share, L(1e-30))
    return best


def fit(interval, function, weight, degree):
    """Float coefficients of degree 0 .. degree, and the largest weighted error they leave."""
    lo, hi = interval
    x = (lo + hi) / 2 - (hi - lo) / 2 * np.cos(PI * (np.arange(GRID) + L(0.5)) / GRID)
    f, w = function(x), weight(x) * L(2) ** 24
    done = []
    while len(done) <= degree:
        rest = f - sum((c * x ** i for i, c in enumerate(done)), L(0))
        c = minimax(x, rest, w, range(len(done), degree + 1))
        done.append(L(np.float32(c[0])))
    error = w * (sum(c * x ** i for i, c in enumerate(done)) - f)
    return done, float(max(abs(error)))


def scaled_tail(x):
    """exp(x^2 / 2) Phi(-x) for x >= 0: a series of positive terms below 4, a fraction above."""
    x = np.asarray(x, L)
    term = total = np.minimum(x, 4)
    for n in range(1, 90):
        term = term * np.minimum(x, 4) ** 2 / (2 * n + 1)
        total = total + term
    near = np.exp(x * x / 2) / 2 - total / np.sqrt(2 * PI)
    far = np.maximum(x, 3)
    for n in range(150, 0, -1):
        far = np.maximum(x, 3) + n / far
    return np.where(x < 3, near, 1 / far / np.sqrt(2 * PI))


def erf_small(x):
    """erf(x) / x - 1 as a series, for |x| <= 1."""
    total = term = np.ones_like(x)
    for n in range(1, 40):
        term = term * -x * x / n
        total = total + term / (2 * n + 1)
    return total * 2 / np.sqrt(PI) - 1


def phi_small(u):
    """(Phi(x) - 1/2) / x, u = x^2."""
    return (1 + erf_small(np.sqrt(u / 2))) / np.sqrt(L(8))


def tanh_rest(u):
    """(tanh(x) / x - 1) / x^2, u = x^2."""
    x = np.sqrt(u)
    small = -L(1) / 3 + u * 2 / 15 - u ** 2 * 17 / 315 + u ** 3 * 62 / 2835
    return np.where(u < 1e-4, small, (np.tanh(x) / x - 1) / u)


def series(first, ratio, terms=40):
    """sum of first * ratio(1) * ratio(2) ...: where the closed form cancels."""
    total = term = first
    for n in range(1, terms):
        term = term * ratio(n)
        total = total + term
    return total


def exp_rest(r):
    """(e^r - 1 - r) / r^2."""
    return series(np.ones_like(r) / 2, lambda n: r / (n + 2))


def log_rest(f):
    """(log(1 + f) - f) / f^2."""
    small = -sum((-f) ** n / (n + 2) for n in range(30))
    return np.where(abs(f) < 0.01, small, (np.log1p(f) - f) / np.where(f == 0, 1, f * f))


def sin_rest(u):
    """(sin(pi r) / r - pi) / r^2, u = r^2."""
    one = np.ones_like(u)
    return series(-PI ** 3 / 6 * one, lambda n: -PI ** 2 * u / (2 * n + 2) / (2 * n + 3))


def cos_rest(u):
    """(cos(pi r) - 1) / r^2, u = r^2."""
    one = np.ones_like(u)
    return series(-PI ** 2 / 2 * one, lambda n: -PI ** 2 * u / (2 * n + 1) / (2 * n + 2))


def tail(t):
    """exp(x^2 / 2) Phi(-x), t = 1 / (1 + 3/8 x)."""
    return scaled_tail((1 / t - 1) / L(0.375))


H = LN2 / 2 * L(1.0001)
T = 1 / (1 + L(0.375) * L(14.5)), 1 / (1 + L(0.375))  # 1 <= x <= 14.5
U = L(0), L(1)
Q = L(0), L(1) / 16
FITS = {  # name: interval, function, weight, degree
    "exp": ((-H, H), exp_rest, lambda r: r * r / np.exp(r), 4),
    "expm1": ((-H, H), exp_rest, lambda r: abs(r * r / np.expm1(r)), 5),
    "tanh": ((L(0), L(0.65) ** 2), tanh_rest, lambda u: u ** 1.5 / np.tanh(np.sqrt(u)), 4),
    "log": ((L(-0.25), L(0.5)), log_rest, lambda f: abs(f * f / np.log1p(f)), 8),
    "softplus": (U, log_rest, lambda t: t * t / np.log1p(t), 8),
    "sinpi": (Q, sin_rest, lambda u: u ** 1.5 / np.sin(PI * np.sqrt(u)), 2),
    "cospi": (Q, cos_rest, lambda u: u / np.cos(PI * np.sqrt(u)), 3),
    "erf": (U, lambda u: erf_small(np.sqrt(u)), lambda u: 1 / (1 + erf_small(np.sqrt(u))), 6),
    "phi": (U, phi_small, lambda u: 1 / (L(0.5) / np.sqrt(u) - phi_small(u)), 5),
    "tail": (T, tail, lambda t: 1 / tail(t), 7),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or FITS:
        coefficients, error = fit(*FITS[name])
        print("%-9s largest error %.3f x 2^-24" % (name, error))
        for i, c in enumerate(coefficients):
            print("    c%d = %.9gf" % (i, np.float32(c)))
