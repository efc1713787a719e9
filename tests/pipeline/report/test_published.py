"""The paper's numbers: known values, counts, and what must hold between them."""

from collections import Counter
from itertools import groupby

import pytest
from torchvision.models.detection import FasterRCNN_ResNet50_FPN_Weights

from pipeline.report.published import read_table1, read_table2, read_table3
from pipeline.settings.variants import VARIANTS, find_variant


def test_table_1_has_every_variant_and_the_numbers_of_the_text() -> None:
    scores = {row.variant: row.miou for row in read_table1()}
    assert scores == {
        "dsrg": 57.0,
        "weak": 60.1,
        "mixed": 62.8,
        "strong": 68.9,
        "full": 71.4,
        "dual_natural": 66.4,
        "dual": 72.2,
        "dual_full": 73.9,
        "mixed_xK": 65.9,
        "ensemble": 70.8,
    }
    assert scores.keys() >= VARIANTS.keys() - {"dual_mixed"}  # the other reading of dual's row
    others = {name for name in scores if find_variant(name.replace("xK", "x2")) is None}
    assert others == {"dsrg", "ensemble"}


def test_table_1_agrees_with_the_differences_the_text_states() -> None:
    """§4.2 and §4.5 give these beside the scores."""
    scores = {row.variant: row.miou for row in read_table1()}
    assert scores["mixed"] - scores["weak"] == pytest.approx(2.7)
    assert scores["dual"] - scores["strong"] == pytest.approx(3.3)
    assert scores["dual_full"] - scores["dual"] == pytest.approx(1.7)
    assert scores["ensemble"] - scores["strong"] == pytest.approx(1.9)
    assert scores["strong"] - scores["mixed"] == pytest.approx(6.1)  # "higher than the weak one"
    coco = read_table3()[-1]
    assert coco.strong - coco.mixed == pytest.approx(12.7)


def test_branches_are_those_of_the_variants() -> None:
    for row in read_table1():
        variant = find_variant(row.variant)
        assert row.strong_branch
        assert row.note
        if variant is not None:
            assert bool(row.weak_branch) == (variant.branches == 2), row.variant


def test_table_2_has_its_groups_and_rows() -> None:
    table = read_table2()
    groups = {name: len(list(rows)) for name, rows in groupby(table, key=lambda row: row.group)}
    assert groups == {
        "10k scribbles": 2,
        "10k boxes": 2,
        "10k class": 8,
        "1.4k pixel + 9k class": 6,
        "1.4k pixel + 9k class, not in the paper": 3,
    }
    assert all(row.reference and row.backbone for row in table)
    counts = (
        Counter(row.val is not None for row in table),
        Counter(row.test is None for row in table),
    )
    assert counts == ({True: 21}, {True: 6, False: 15})


@pytest.mark.parametrize(
    ("group", "method", "backbone", "scores"),
    [
        ("10k class", "FickleNet", "VGG16", (61.2, 61.9)),
        ("10k class", "DSRG", "VGG16", (59.0, 60.4)),
        ("1.4k pixel + 9k class", "DSRG", "VGG16", (64.3, None)),
        ("1.4k pixel + 9k class", "WSSL", "VGG16", (64.6, 66.2)),
        ("1.4k pixel + 9k class", "Ours", "VGG16", (72.2, 72.3)),
        ("1.4k pixel + 9k class", "Ours", "ResNet101", (76.6, 77.1)),
    ],
)
def test_known_values_of_table_2(
    group: str, method: str, backbone: str, scores: tuple[float, float | None]
) -> None:
    (row,) = [
        row
        for row in read_table2()
        if (row.group, row.method, row.backbone) == (group, method, backbone)
    ]
    assert (row.val, row.test) == scores


def test_table_3_names_cocos_classes_in_its_order() -> None:
    known = FasterRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"]
    names = ["background", *(name for name in known[1:] if name != "N/A")]
    *classes, mean = read_table3()
    assert [row.name for row in classes] == names
    assert mean.name == "mean IoU"
    # COCO numbers its classes super-category by super-category.
    categories = [(name, len(list(rows))) for name, rows in groupby(classes, lambda r: r.category)]
    assert categories == [
        ("background", 1),
        ("person", 1),
        ("vehicle", 8),
        ("outdoor", 5),
        ("animal", 10),
        ("accessory", 5),
        ("sports", 10),
        ("kitchen", 7),
        ("food", 10),
        ("furniture", 6),
        ("electronic", 6),
        ("appliance", 5),
        ("indoor", 7),
    ]


def test_table_3_gives_the_means_it_prints() -> None:
    """46.105, 33.354 and 47.614 over the 81 rows; printed are 46.1, 33.4 and 47.6."""
    *classes, mean = read_table3()
    columns = [[row.strong, row.mixed, row.dual] for row in classes]
    means = [sum(column) / 81 for column in zip(*columns, strict=True)]
    assert means == pytest.approx([46.105, 33.354, 47.614], abs=5e-4)
    assert [round(value, 1) for value in means] == [mean.strong, mean.mixed, mean.dual]
