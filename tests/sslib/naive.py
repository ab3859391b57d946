"""SS_rate and its gradient written out with explicit loops, from the equations alone: the tests'
reference.

Imports nothing from sslib. Slow on purpose: every sum of Algorithm 2 and Eq. 2-5 is a Python loop
over floats.
"""

from __future__ import annotations

import math


def distances(F):
    """C of Alg. 2, line 1, as nested lists."""
    D, B = len(F), len(F[0])
    C = [[0.0] * D for _ in range(D)]
    for i in range(D):
        for j in range(D):
            C[i][j] = math.sqrt(sum((F[i][b] - F[j][b]) ** 2 for b in range(B))) / math.sqrt(B)
    return C


def thresholds_of(TZ, TV, T):
    return [(1 + TZ) * ((1 + TV) / (1 + TZ)) ** (s / (T - 1)) - 1 for s in range(T)]


def curve(F, formula, T):
    """theta, p, N and dN/dp at every threshold, TZ, TV and C."""
    D = len(F)
    C = distances(F)
    pairs = [C[i][j] for i in range(D) for j in range(i + 1, D)]
    TZ, TV = min(pairs), max(pairs)
    theta = thresholds_of(TZ, TV, T)
    p, N, dN = [], [], []
    for s in range(T):
        if s == 0:
            below = 0
        elif s == T - 1:
            below = sum(c < TV for c in pairs)
        elif formula == "printed":
            below = sum(c <= theta[s] for c in pairs)
        else:
            below = sum(c < theta[s] for c in pairs)
        p.append(below / len(pairs))
        if formula == "printed":
            inside = D + (1 - D) * p[s]
            N.append(1 + (D - 1) * math.log(inside, D))
            dN.append((D - 1) * (1 - D) / (inside * math.log(D)))
        else:
            inside = 1 + (D - 1) * p[s]
            N.append(D - (D - 1) * math.log(inside, D))
            dN.append(-(D - 1) * (D - 1) / (inside * math.log(D)))
    return theta, p, N, dN, TZ, TV, C


def reference_line(theta, TZ, TV, D):
    """pf of Eq. 4."""
    span = math.log(1 + TV) - math.log(1 + TZ)
    return [(math.log(1 + TV) - math.log(1 + t)) / span * math.log(D) for t in theta]


def _weights(theta, formula, D, TZ, TV):
    """What each |log N - pf| counts for in SS_rate."""
    T = len(theta)
    if formula == "released":
        return [2 / T / math.log(D)] * T
    span = math.log(1 + TV) - math.log(1 + TZ)
    x = [math.log(1 + t) for t in theta]
    weight = [0.0] * T
    for s in range(T - 1):
        weight[s] += (x[s + 1] - x[s]) / 2
        weight[s + 1] += (x[s + 1] - x[s]) / 2
    return [2 / (math.log(D) * span) * w for w in weight]


def ss_rate(F, formula="released", T=256):
    D = len(F)
    theta, _, N, _, TZ, TV, _ = curve(F, formula, T)
    line = reference_line(theta, TZ, TV, D)
    weight = _weights(theta, formula, D, TZ, TV)
    return sum(w * abs(math.log(n) - q) for w, n, q in zip(weight, N, line, strict=True))


def slopes(F, formula="released", T=256):
    """dSS/dp at every inner threshold (0 at TZ, where the residual is 0), with theta and C."""
    D = len(F)
    theta, _, N, dN, TZ, TV, C = curve(F, formula, T)
    line = reference_line(theta, TZ, TV, D)
    weight = _weights(theta, formula, D, TZ, TV)
    g = []
    for s in range(T):
        r = math.log(N[s]) - line[s]
        sign = 0 if s == 0 or r == 0 else math.copysign(1, r)
        g.append(weight[s] * sign * dN[s] / N[s])
    return g, theta, C


def gradient(F, formula="released", T=256, k=1.0, fac=None):
    """dSS/dF with the surrogate of Alg. 2, line 4, TZ and TV held constant."""
    D, B = len(F), len(F[0])
    fac = D if fac is None else fac
    g, theta, C = slopes(F, formula, T)
    n_pairs = D * (D - 1) / 2
    grad = [[0.0] * B for _ in range(D)]
    for i in range(D):
        for j in range(D):
            if i == j or C[i][j] == 0:
                continue
            w = 0.0
            for s in range(T):
                z = 1 / (1 + math.exp(-k * (theta[s] - C[i][j])))
                w -= g[s] * fac * k * z * (1 - z) / n_pairs
            for b in range(B):
                grad[i][b] += w * (F[i][b] - F[j][b]) / (B * C[i][j])
    return grad
