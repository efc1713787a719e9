"""Where feature vectors lie on the lattice, what they weigh, and which points adjoin."""

import math

import numpy as np
import pytest
import torch

from pipeline.weak.dsrg.permutohedral import (
    barycentric,
    corner_keys,
    elevate,
    enclosing_simplex,
    find_neighbours,
)
from tests.points import points


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_elevation_is_a_scaled_isometry_onto_zero_sum(dimensions: int) -> None:
    features = points(dimensions)
    elevated = elevate(features)
    torch.testing.assert_close(elevated.sum(dim=0), torch.zeros(200), atol=2e-4, rtol=0)
    factor = (dimensions + 1) * math.sqrt(2 / 3)
    torch.testing.assert_close(torch.pdist(elevated.T), factor * torch.pdist(features.T))


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_corners_weighted_barycentrically_give_the_point(dimensions: int) -> None:
    elevated = elevate(points(dimensions))
    origin, rank, residual = enclosing_simplex(elevated)
    weight = barycentric(residual, rank)
    size = dimensions + 1
    corners = [size * origin + k - size * (rank > dimensions - k) for k in range(size)]
    assert all(not corner.sum(dim=0).any() for corner in corners)
    assert weight.min() > -1e-5
    torch.testing.assert_close(weight.sum(dim=0), torch.ones(200))
    rebuilt = sum(w * corner for w, corner in zip(weight, corners, strict=True))
    torch.testing.assert_close(rebuilt, elevated, atol=1e-4, rtol=0)


def test_neighbours_are_those_of_the_coordinates() -> None:
    # A box in the packed coordinates, filled up to its borders.
    size = 4
    box = 19 * torch.rand(3, 4000, generator=torch.Generator().manual_seed(0)) - 9.5
    origin, rank, _ = enclosing_simplex(torch.cat([box, -box.sum(dim=0, keepdim=True)]))
    keys, places = corner_keys(origin, rank)
    corners = [size * origin + k - size * (rank >= size - k) for k in range(size)]
    named = dict(zip(keys.flatten().tolist(), torch.cat(corners, dim=1).T.tolist(), strict=True))
    unique = torch.unique(keys)
    coordinates = [tuple(named[key]) for key in unique.tolist()]
    assert len(set(coordinates)) == len(unique)
    index = {point: i for i, point in enumerate(coordinates)}
    for sign, neighbours in zip((1, -1), find_neighbours(unique, places), strict=True):
        for axis in range(size):
            step = sign * (1 - size * np.eye(size, dtype=int)[axis])
            stepped = [tuple((np.array(point) + step).tolist()) for point in coordinates]
            expected = [index.get(point, len(unique)) for point in stepped]
            assert neighbours[axis].tolist() == expected
