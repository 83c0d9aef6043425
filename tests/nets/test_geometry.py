"""Windows against an oracle that keeps, for every unit, the set of pixels it sees."""

import itertools

import pytest

from zfutils.nets.geometry import Span, Window, output_size, receptive_field, seen_by

WINDOWS = [Window(k, s, p) for k, s, p in itertools.product((1, 2, 3, 5), (1, 2, 3), (0, 1)) if p < k]
STACKS = [stack for n in (1, 2) for stack in itertools.product(WINDOWS, repeat=n)] + [
    (Window(7, 2, 1), Window(3, 2, 1), Window(5, 2, 0), Window(3, 2, 1), Window(3, 1, 1)),
    (Window(11, 4, 2), Window(3, 2, 0), Window(5, 1, 2), Window(3, 2, 0)),
]


def seen_by_units(size, stack):
    """For every unit after a stack, the first pixel it sees and the one after the last; padding counts."""
    reach = max(size, 200)
    spans = {i: (i, i + 1) for i in range(-reach, size + reach)}
    for kernel, stride, padding in stack:
        n, unit, spans_above = size, 0, {}
        while unit * stride - padding + kernel <= n + padding:
            spans_above[unit] = None
            unit += 1
        size = len(spans_above)
        units = range(-20, size + 20)
        spans = {
            u: (spans[u * stride - padding][0], spans[u * stride - padding + kernel - 1][1])
            for u in units
            if u * stride - padding in spans and u * stride - padding + kernel - 1 in spans
        }
    return size, spans


@pytest.mark.parametrize("size", [9, 20, 64])
def test_sizes_and_windows_are_those_of_the_oracle(size):
    for stack in STACKS:
        expected_size, spans = seen_by_units(size, stack)
        found = size
        for window in stack:
            found = max(output_size(found, window), 0)
        assert found == expected_size
        field = receptive_field(stack)
        for unit in range(expected_size):
            assert seen_by(unit, field) == Span(*spans[unit])


def test_a_stack_of_nothing_sees_one_pixel():
    assert receptive_field([]) == Window(1, 1, 0)
    assert seen_by(7, Window(1)) == Span(7, 8)


def test_a_window_larger_than_the_padded_map_has_no_place():
    assert output_size(4, Window(7, 2, 1)) < 1
    assert output_size(5, Window(7, 2, 1)) == 1
