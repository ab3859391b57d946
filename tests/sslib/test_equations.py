"""Each equation of the paper is the business of one function, and `grep "Eq. N"` leads there."""

import re

import pytest

from sslib.boxes import area, box_number, reference_line, thresholds
from sslib.constraint import SelfSimilarityConstraint
from sslib.covering import covering_numbers
from sslib.dimension import correlation_dimension, fluctuation, umap_points
from sslib.distances import adjacency, pair_distances
from sslib.powerlaw import powerlaw_exponent, scale_invariance, spectrum

EQUATIONS = {
    1: adjacency,
    2: reference_line,
    3: area,
    4: reference_line,
    5: thresholds,
    6: SelfSimilarityConstraint,
    7: covering_numbers,
    8: pair_distances,
    9: box_number,
    10: spectrum,
    11: spectrum,
    12: powerlaw_exponent,
    13: powerlaw_exponent,
    14: scale_invariance,
    15: umap_points,
    16: correlation_dimension,
    17: correlation_dimension,
    18: correlation_dimension,
    19: fluctuation,
}


@pytest.mark.parametrize("number", range(1, 20))
def test_the_function_of_an_equation_names_it(number):
    assert re.search(rf"Eq\. {number}\b", EQUATIONS[number].__doc__.splitlines()[0])
