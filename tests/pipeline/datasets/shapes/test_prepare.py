"""The drawn data set: repeatable, balanced, well labelled, and with the habits it promises."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.datasets.shapes.appearances import APPEARANCES
from pipeline.datasets.shapes.grounds import GROUNDS, paint_ground
from pipeline.datasets.shapes.outlines import OUTLINES
from pipeline.datasets.shapes.prepare import (
    BORDER,
    CLASS_NAMES,
    HOME_GROUNDS,
    Scene,
    render_scene,
)
from pipeline.datasets.shapes.scene_style import SceneStyle

SCENES = 300
Gathered = list[Scene]


@pytest.fixture(scope="module")
def scenes() -> Gathered:
    return [render_scene(7, index) for index in range(SCENES)]


def _present(scene: Scene) -> set[str]:
    return {CLASS_NAMES[v] for v in np.unique(scene.mask) if v not in (0, BORDER)}


def test_same_arguments_give_same_bytes_in_any_order(scenes: Gathered) -> None:
    for index in (5, 0, 299):
        again = render_scene(7, index)
        np.testing.assert_array_equal(again.image, scenes[index].image)
        np.testing.assert_array_equal(again.mask, scenes[index].mask)
        np.testing.assert_array_equal(again.loud, scenes[index].loud)


def test_every_index_and_seed_is_another_scene(scenes: Gathered) -> None:
    assert len({scene.image.tobytes() for scene in scenes}) == SCENES
    assert not np.array_equal(render_scene(8, 0).image, scenes[0].image)


def test_shapes_types_and_values(scenes: Gathered) -> None:
    for scene in scenes:
        assert scene.image.shape == (64, 64, 3)
        assert scene.mask.shape == scene.loud.shape == (64, 64)
        assert scene.image.dtype == scene.mask.dtype == np.uint8
        assert scene.loud.dtype == np.bool_
        assert scene.ground in GROUNDS
        assert set(np.unique(scene.mask)) <= {*range(len(CLASS_NAMES)), BORDER}


def test_every_scene_shows_an_object_and_mostly_ground(scenes: Gathered) -> None:
    assert all(_present(scene) for scene in scenes)
    ground = np.mean([(scene.mask == 0).mean() for scene in scenes])
    assert 0.65 < ground < 0.9


def test_classes_are_balanced(scenes: Gathered) -> None:
    shares = [np.mean([name in _present(s) for s in scenes]) for name in CLASS_NAMES[1:]]
    assert min(shares) > 0.1
    assert max(shares) < 2.2 * min(shares)


def test_no_object_touches_ground_without_a_border(scenes: Gathered) -> None:
    for mask in (scene.mask for scene in scenes):
        for a, b in ((mask[1:], mask[:-1]), (mask[:, 1:], mask[:, :-1])):
            assert not np.any((a != b) & (a != BORDER) & (b != BORDER))


def test_border_is_thin(scenes: Gathered) -> None:
    share = np.mean([(scene.mask == BORDER).mean() for scene in scenes])
    assert 0.02 < share < 0.08


def test_home_classes_keep_to_their_ground(scenes: Gathered) -> None:
    for name, home in HOME_GROUNDS.items():
        grounds = [scene.ground for scene in scenes if name in _present(scene)]
        assert grounds.count(home) > 0.85 * len(grounds)


def test_free_classes_stand_anywhere(scenes: Gathered) -> None:
    for name in set(CLASS_NAMES[1:]) - set(HOME_GROUNDS):
        grounds = [scene.ground for scene in scenes if name in _present(scene)]
        assert len(set(grounds)) >= 6
        assert max(map(grounds.count, grounds)) < 0.4 * len(grounds)


@pytest.mark.parametrize("value", range(1, len(CLASS_NAMES)))
def test_loud_part_is_a_small_share(scenes: Gathered, value: int) -> None:
    shown = [(scene.loud[scene.mask == value]) for scene in scenes]
    share = np.concatenate(shown).mean()
    assert 0.1 < share < 0.32


def test_loud_part_lies_on_objects(scenes: Gathered) -> None:
    assert not any(np.any(scene.loud & (scene.mask == 0)) for scene in scenes)


def test_style_sets_habit() -> None:
    stray = replace(SceneStyle(), habit=0.0, guests=0.0)
    assert not {render_scene(0, i, style=stray).ground for i in range(40)} & {
        *HOME_GROUNDS.values()
    }


def test_faded_objects_keep_their_mask() -> None:
    faded = render_scene(0, 0, style=replace(SceneStyle(), faded=1.0))
    assert _present(faded)
    assert not faded.loud.any()


def test_noise_only_grows_the_grain() -> None:
    calm, noisy = (render_scene(0, 0, style=replace(SceneStyle(), noise=n)) for n in (0.0, 0.1))
    np.testing.assert_array_equal(calm.mask, noisy.mask)
    assert np.abs(np.diff(noisy.image.astype(int), axis=0)).mean() > (
        1.5 * np.abs(np.diff(calm.image.astype(int), axis=0)).mean()
    )


@pytest.mark.parametrize("size", [32, 65, 96])
def test_other_sizes(size: int) -> None:
    scene = render_scene(3, 1, size=size)
    assert scene.image.shape == (size, size, 3)
    assert _present(scene)


@pytest.mark.parametrize("name", GROUNDS)
def test_grounds_are_textured(name: str) -> None:
    picture = paint_ground(np.random.default_rng(0), name, 128)
    assert picture.shape == (3, 128, 128)
    assert picture.dtype == np.float32
    assert picture.std(axis=(1, 2)).max() > 0.02


def test_every_class_has_an_appearance() -> None:
    assert set(APPEARANCES) == set(OUTLINES) == set(CLASS_NAMES[1:])
    assert {look.twin for look in APPEARANCES.values()} <= set(APPEARANCES)
