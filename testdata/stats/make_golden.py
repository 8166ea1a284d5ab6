"""What SciPy, ruptures and Evidently say of random inputs, for tests/stats/golden.rs.

    python3 -m venv v && v/bin/pip install -r testdata/stats/requirements.txt
    v/bin/python testdata/stats/make_golden.py        # writes *.tsv.zst beside itself, half a minute

Inputs are not stored: both sides make them anew from the case's number with the same generator, which has integer
arithmetic and exact floating-point operations only (powers of two, sums and products below 2^53). tests/stats/inputs.rs is
the other copy; change both.
"""

import math
import os
import warnings
from fractions import Fraction

import mpmath
import numpy as np
import pandas as pd
import ruptures
import zstandard
from evidently.legacy.calculations.stattests import psi_stat_test
from evidently.legacy.core import ColumnType
from scipy import stats
from scipy.spatial.distance import jensenshannon

MASK = (1 << 64) - 1
CASES = 1000
COUNTED = []


class Random:
    """SplitMix64."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ z >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        return z ^ z >> 31

    def below(self, bound):
        return self.next() % bound


def value(random, shape, level):
    if shape == 0:  # constant
        return float(7 + level)
    if shape == 1:  # few values
        return float(random.below(5 + level))
    if shape == 2:  # counts
        return float(random.below(1000) + 40 * level)
    if shape == 3:  # fractions
        return (random.next() >> 11) * 2.0**-53 + 0.125 * level
    if shape == 4:  # skewed
        a, b, c = (random.below(100 + 20 * level) + 1 for _ in range(3))
        return float(a * b * c)
    if shape == 5:  # heavy tail
        return math.ldexp(random.below(1 << 20) + (1 << 20), random.below(30 + 2 * level))
    if shape == 6:  # any magnitude
        mantissa = random.next() >> 11
        return math.ldexp(mantissa, random.below(900) - 500 + 50 * level)
    return (random.below(2001) + 100 * level - 1000) / 8.0  # both signs


def size(random, case):
    if case % 50 == 49:
        return 1500 + random.below(3000)
    kind = random.below(8)
    if kind == 0:
        return 1 + random.below(5)
    if kind == 7:
        return 200 + random.below(400)
    return 5 + random.below(100)


def two_samples(case):
    random = Random(case)
    n, m = size(random, case), size(random, case)
    if case % 250 == 249:  # much larger than the other
        n, m = 20 + random.below(60), 150_000 + random.below(100_000)
    shape, level = random.below(8), random.below(4)
    base = [value(random, shape, 0) for _ in range(n)]
    return base, [value(random, shape, level) for _ in range(m)]


def count(random):
    return random.below((1, 4, 12, 60, 1000)[random.below(5)])


def square(case):
    """A 2x2 table; every fourth is large."""
    random = Random(case)
    if case % 4 == 3:
        scale = 1 << random.below(34)
        return [random.below(scale) + random.below(50) for _ in range(4)]
    return [count(random) for _ in range(4)]


def table(case):
    random = Random(case)
    rows, columns = 2 + random.below(4), 2 + random.below(9)
    return [[count(random) for _ in range(columns)] for _ in range(rows)]


def two_rows(case):
    random = Random(case)
    columns, close = 2 + random.below(12), random.below(4) == 0
    base = [count(random) + (1 if i == 0 else 0) for i in range(columns)]
    if close:
        return [b * 1000 for b in base], [b * 1000 + random.below(3) for b in base]
    return base, [count(random) + (1 if i == 0 else 0) for i in range(columns)]


def p_values(case):
    random = Random(case)
    few = random.below(3) == 0
    return [random.below(8) / 8.0 if few else (random.next() >> 11) * 2.0**-53 for _ in range(1 + random.below(12))]


def series(case):
    random = Random(case)
    n, min_size = 2 + random.below(160), 1 + random.below(25)
    jump = (1, 1, 1, 1, 1 + random.below(6))[random.below(5)]
    penalty = (1 + random.below(40)) / 4.0
    values, level = [], 0
    for _ in range(n):
        if random.below(40) == 0:
            level = random.below(9)
        values.append((random.next() >> 11) * 2.0**-51 + level * 0.75)
    return values, min_size, jump, penalty


def write(name, lines):
    text = "".join(line + "\n" for line in lines)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    with open(path, "wb") as file:
        file.write(zstandard.ZstdCompressor(level=19).compress(text.encode()))
    print(name, len(text), os.path.getsize(path))


def number(x):
    return repr(float(x))


def ks_by_counting(n, m, statistic):
    """The share of lattice paths that leave the band, in whole numbers."""
    gap = round(statistic * n * m)
    inside = [0] * (n + 1)
    for y in range(m + 1):
        for x in range(n + 1):
            paths = 1 if x == y == 0 else (inside[x] if y else 0) + (inside[x - 1] if x else 0)
            inside[x] = 0 if abs(x * m - y * n) >= gap else paths
    return float(1 - Fraction(inside[n], math.comb(n + m, n))) if gap else 1.0


def ks_test(base, current):
    exact = len(base) * len(current) <= 4_000_000
    try:
        found = stats.ks_2samp(base, current, method="exact" if exact else "asymp")
        return found.statistic, found.pvalue
    except RuntimeWarning:  # SciPy gives up where rounding makes its share more than 1
        found = stats.ks_2samp(base, current, method="asymp")
        COUNTED.append((len(base), len(current), found.statistic))
        return found.statistic, ks_by_counting(len(base), len(current), found.statistic)


def samples_line(case):
    base, current = two_samples(case)
    ks = ks_test(base, current)
    mwu = stats.mannwhitneyu(base, current, method="asymptotic")
    area = stats.wasserstein_distance(base, current)
    median, p95 = np.median(current), np.quantile(current, 0.95)
    try:
        psi = psi_stat_test.func(pd.Series(base), pd.Series(current), ColumnType.Numerical, 0.1)[0]
    except (ValueError, IndexError, MemoryError):
        psi = math.nan
    return "\t".join(map(number, (*ks, mwu.statistic, mwu.pvalue, area, median, p95, psi)))


def fisher_with_40_digits(a, b, c, d):
    """SciPy is right to 1e-7 at 10^8 observations, and its whole numbers overflow at 10^9."""
    row, column, total = a + b, a + c, a + b + c + d
    if 0 in (row, column, total - row, total - column):
        return 1.0

    def binomial(n, k):
        return mpmath.loggamma(n + 1) - mpmath.loggamma(k + 1) - mpmath.loggamma(n - k + 1)

    outside = mpmath.mpf(1)
    for step in (1, -1):
        x, weight = a, mpmath.mpf(1)
        while max(0, row + column - total) <= x + step <= min(row, column):
            low = min(x, x + step)
            ratio = mpmath.mpf((row - low) * (column - low)) / ((low + 1) * (total - row - column + low + 1))
            weight, x = (weight * ratio if step == 1 else weight / ratio), x + step
            if weight <= 1 + mpmath.mpf(10) ** -12:
                outside += weight
            if weight < 1e-20 or weight > mpmath.mpf(10) ** 400:
                break
    here = mpmath.exp(binomial(row, a) + binomial(total - row, c) - binomial(total, column))
    return float(min(outside * here, 1))


def table_line(case):
    a, b, c, d = square(case)
    large = a + b + c + d > 10_000
    fisher = fisher_with_40_digits(a, b, c, d) if large else stats.fisher_exact([[a, b], [c, d]])[1]
    t = np.array(table(case))
    t = t[t.sum(axis=1) > 0][:, t.sum(axis=0) > 0]
    statistic, p, degrees = stats.chi2_contingency(t, correction=False)[:3] if t.size else (0.0, 1.0, 0)
    p_row, q_row = two_rows(case)
    return "\t".join(map(number, (fisher, statistic, p, degrees, jensenshannon(p_row, q_row, base=2))))


def adjusted_line(case):
    return "\t".join(map(number, stats.false_discovery_control(p_values(case))))


def changes_line(case):
    values, min_size, jump, penalty = series(case)
    try:
        found = ruptures.Pelt("l2", min_size=min_size, jump=jump).fit_predict(np.array(values), penalty)
    except ruptures.exceptions.BadSegmentationParameters:
        found = [len(values)]
    return " ".join(map(str, found[:-1]))


def kolmogorov_lines():
    """The one-sample distribution where each of its methods takes over from another."""
    for n in (1, 2, 5, 30, 100, 140, 141, 300, 1000, 5000, 20_000, 150_000, 1_000_000, 3_000_000):
        near = [round(z / math.sqrt(n), 12) for z in (0.2, 0.35, 0.5, 0.7, 0.9, 1.2, 1.45, 1.5, 2.2, 3.5, 6.0)]
        for d in near + [0.55 / n, 0.95 / n, 1 - 0.4 / n]:
            if d <= 1:
                yield "\t".join((str(n), number(d), number(stats.kstwo.sf(d, n))))


if __name__ == "__main__":
    mpmath.mp.dps = 40
    warnings.simplefilter("error", RuntimeWarning)
    with np.errstate(all="ignore"):
        write("samples.tsv.zst", map(samples_line, range(CASES)))
        write("kolmogorov.tsv.zst", kolmogorov_lines())
        print("counted in whole numbers:", COUNTED)
        write("tables.tsv.zst", map(table_line, range(CASES)))
        write("adjusted.tsv.zst", map(adjusted_line, range(CASES)))
        write("changes.tsv.zst", map(changes_line, range(CASES)))
