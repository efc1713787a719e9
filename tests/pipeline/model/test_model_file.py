"""Model files: what goes in comes out, the weak branch does not, and other files are refused."""

import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from pipeline.base.errors import UserError
from pipeline.model.export import onnx_properties
from pipeline.model.model_card import card
from pipeline.model.model_file import (
    KEY,
    Scores,
    inference_tensors,
    read_info,
    read_model,
    write_model,
)
from tests.models import small_info, small_network, write_small


def test_what_goes_in_comes_out_without_the_weak_branch(tmp_path: Path) -> None:
    network = small_network(branches=2)
    path = tmp_path / "model.safetensors"
    write_model(path, small_info(), inference_tensors(network.state_dict()))
    info, read = read_model(path)
    assert info == small_info()
    assert not [name for name in load_file(path) if name.startswith("branches.1")]
    images = torch.randn(2, 3, 40, 33)
    assert torch.equal(read(images), network(images))
    assert not read.training


def test_the_same_content_is_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_small(tmp_path / name).read_bytes() for name in "ab")
    assert first == second


def test_the_white_of_sixteen_bits_is_there_only_if_known(tmp_path: Path) -> None:
    assert "white" not in small_info().model_dump_json()
    path = tmp_path / "model.safetensors"
    info = small_info(white=4095)
    write_model(path, info, inference_tensors(small_network().state_dict()))
    assert read_info(path) == info
    assert "scaled so that 4095 became 255" in card(info, path.name, {})
    assert onnx_properties(info.model_dump_json())["white"] == "4095"
    assert "white" not in onnx_properties(small_info().model_dump_json())


def test_reading_leaves_random_numbers_alone(tmp_path: Path) -> None:
    path = write_small(tmp_path)
    torch.manual_seed(5)
    wanted = torch.rand(3)
    torch.manual_seed(5)
    read_model(path)
    assert torch.equal(torch.rand(3), wanted)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is not there; give a model file"):
        read_info(tmp_path / "none")
    with pytest.raises(UserError, match="is a folder"):
        read_info(tmp_path)


def test_other_files_are_refused_and_pickles_are_not_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return Path.touch, (str(tmp_path / "ran"),)

    path = tmp_path / "model.safetensors"
    cut = write_small(tmp_path / "whole").read_bytes()[:-100]
    for content in (b"", b"class,name\n", pickle.dumps(Bomb()), b"\xff" * 64, cut):
        path.write_bytes(content)
        with pytest.raises(UserError, match="no safetensors file, or is cut off; pickles"):
            read_model(path)
    assert not (tmp_path / "ran").exists()


def test_tensors_alone_are_no_model(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_file(small_network().state_dict(), path)
    with pytest.raises(UserError, match=r"not what they are .*stages.package"):
        read_model(path)


def described(path: Path, **changes: object) -> Path:
    """The model file again, with another description."""
    with safe_open(path, framework="pt") as file:
        values = json.loads(file.metadata()[KEY])
    save_file(load_file(path), path, metadata={KEY: json.dumps({**values, **changes})})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "is of format 2, and this version reads format 1"),
        ({"backbone": "vgg19"}, "a wrong backbone"),
        ({"neck_n": 4}, "a wrong neck_n"),
        ({"width": 10**9}, "a wrong width"),
        ({"width": 16}, "is of another shape"),
        ({"neck_n": 2}, "tensor '.*' is (missing|not one)"),
        ({"mean": [0.5, 0.5, 0.5]}, "another normalisation"),
        ({"classes": []}, "2 to 255 classes"),
        ({"surplus": 1}, "a wrong surplus"),
    ],
)
def test_a_wrong_description_names_the_key(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    path = described(write_small(tmp_path), **changes)
    with pytest.raises(UserError, match=message):
        read_model(path)


def test_a_description_that_is_no_json(tmp_path: Path) -> None:
    path = write_small(tmp_path)
    for text in ("{", "[" * 100_000, "null"):
        save_file(load_file(path), path, metadata={KEY: text})
        with pytest.raises(UserError, match="is damaged"):
            read_info(path)


def test_values_that_are_not_finite(tmp_path: Path) -> None:
    state = inference_tensors(small_network().state_dict())
    state["neck.0.bias"] = torch.full_like(state["neck.0.bias"], torch.nan)
    with pytest.raises(UserError, match="NaN"):
        write_model(tmp_path / "model.safetensors", small_info(), state)
    path = write_small(tmp_path)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file({**load_file(path), "neck.0.bias": state["neck.0.bias"]}, path, metadata=metadata)
    with pytest.raises(UserError, match=r"is damaged: tensor 'neck.0.bias' holds NaN"):
        read_model(path)


# --- the card -----------------------------------------------------------------------------------


def test_the_card_says_what_and_how_good_and_escapes_names() -> None:
    scores = Scores(
        images=5, seeds=2, means={"miou": 51.5, "miou_sd": 1.25}, this=52.0, classes={"a|b": 40.0}
    )
    text = card(small_info(scores=scores), "model.safetensors", {})
    assert "of this network: **52.00**" in text
    assert "| miou | 51.50 |" in text
    assert "Means over 2 networks" in text
    assert "| a\\|b | 40.00 |" in text
    assert "3. &lt;b&gt;bird&lt;/b&gt;" in text
    assert "<b>" not in text
    assert "    swseg predict model.safetensors" in text
    assert "as the data set's" in text
    assert "There is no record of the training.\n\nTraining seed 0" in text


def test_the_card_says_how_the_training_went() -> None:
    record = {"commit": "0123456789ab+", "seconds": 61.7, "device": "CPU", "machine": "x86_64"}
    text = card(small_info(), "m", record)
    changed = "(+: with changes that were not committed)"
    assert f"Trained at commit `0123456789ab+` {changed} in 62 s on CPU (x86\\_64)." in text


def test_files_of_earlier_versions_hold_the_commit_and_are_read(tmp_path: Path) -> None:
    path = described(write_small(tmp_path), commit="0123456789ab")
    info, network = read_model(path)
    assert "Trained at commit `0123456789ab`." in card(info, "m", {})
    write_model(tmp_path / "again.safetensors", info, network.state_dict())
    assert b"0123456789ab" not in (tmp_path / "again.safetensors").read_bytes()


def test_the_card_says_that_nothing_was_scored() -> None:
    assert "None: the data set has no val image with a mask." in card(small_info(), "m", {})
