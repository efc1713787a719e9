"""Which images are in which batch: halves, passes, oversampling, resuming."""

import itertools
from collections import Counter

from pipeline.batches.order import BatchPlan, drawn
from pipeline.data.randomness import rng


def passes(count: int, seed: int, stream: int, times: int = 1) -> list[int]:
    """The first passes over a list, one index a step."""
    return [i for step in range(count * times) for i in drawn(count, 1, step, (seed, stream))]


def test_every_index_comes_once_in_every_pass() -> None:
    for count in (1, 5, 12):
        order = passes(count, 3, 0, times=4)
        for first in range(0, len(order), count):
            assert sorted(order[first : first + count]) == list(range(count))
    assert len({tuple(order[first : first + 12]) for first in range(0, 48, 12)}) == 4


def test_the_size_of_a_step_does_not_change_the_order() -> None:
    """A slow statement: all passes one after the other, each shuffled by its own key."""
    endless = itertools.chain.from_iterable(rng(3, 1, epoch).permutation(5) for epoch in range(9))
    expected = [int(i) for i in endless]
    taken = [drawn(5, 4, step, (3, 1)) for step in range(9)]
    assert [i for part in taken for i in part] == expected[:36]


def test_batches_are_halves_and_the_short_list_is_seen_more_often() -> None:
    plan = BatchPlan(counts=(6, 30), sizes=(3, 3), steps=10, seed=0)
    made = list(plan)
    assert len(plan) == len(made) == 10
    for batch in made:
        assert [item.stream for item in batch] == [0, 0, 0, 1, 1, 1]
    seen = Counter((item.stream, item.index) for batch in made for item in batch)
    assert seen == Counter({(0, i): 5 for i in range(6)} | {(1, i): 1 for i in range(30)})


def test_uneven_sizes_and_lists_shorter_than_their_half() -> None:
    made = list(BatchPlan(counts=(1, 4), sizes=(3, 1), steps=4, seed=0))
    assert all([item.stream for item in batch] == [0, 0, 0, 1] for batch in made)
    assert {item.index for batch in made for item in batch[:3]} == {0}
    assert sorted(batch[3].index for batch in made) == [0, 1, 2, 3]


def test_seeds_and_streams_are_shuffled_apart() -> None:
    orders = {tuple(passes(20, seed, stream)) for seed in range(4) for stream in range(3)}
    assert len(orders) == 12


def test_a_stream_does_not_depend_on_the_others() -> None:
    """Swapping the weak list for a longer one leaves the strong half as it was."""
    first = BatchPlan(counts=(6, 30), sizes=(2, 2), steps=9, seed=1)
    second = BatchPlan(counts=(6, 400), sizes=(2, 2), steps=9, seed=1)
    for a, b in zip(first, second, strict=True):
        assert a[:2] == b[:2]
        assert [item.key for item in a] == [item.key for item in b]


def test_a_plan_can_be_read_twice() -> None:
    plan = BatchPlan(counts=(6, 30), sizes=(2, 2), steps=9, seed=1)
    assert list(plan) == list(plan)


def test_a_natural_batch_holds_what_chance_gives_and_a_pass_holds_everything() -> None:
    plan = BatchPlan(counts=(6, 30), sizes=(3, 3), steps=12, seed=0, natural=True)
    made = list(plan)
    assert {len(batch) for batch in made} == {6}
    for batch in made:
        assert [item.stream for item in batch] == sorted(item.stream for item in batch)
        assert len({item.key for item in batch}) == 6
    assert len({sum(item.stream == 0 for item in batch) for batch in made}) > 1
    for first in (0, 6):  # six batches are one pass
        seen = Counter((i.stream, i.index) for batch in made[first : first + 6] for i in batch)
        assert seen == Counter({(0, i): 1 for i in range(6)} | {(1, i): 1 for i in range(30)})


def test_a_plan_resumes_where_it_was() -> None:
    whole = list(BatchPlan(counts=(6, 30), sizes=(2, 2), steps=9, seed=1))
    rest = BatchPlan(counts=(6, 30), sizes=(2, 2), steps=9, seed=1, done=5)
    assert len(rest) == 4
    assert list(rest) == whole[5:]


def test_every_item_has_its_own_random_key() -> None:
    made = list(BatchPlan(counts=(6, 30), sizes=(4, 4), steps=50, seed=0))
    keys = [item.key for batch in made for item in batch]
    assert len(set(keys)) == len(keys) == 400
    firsts = {float(rng(*key).random()) for key in keys}
    assert len(firsts) == 400
