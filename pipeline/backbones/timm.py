"""Any network of the package timm that gives features on a regular grid.

Which one, and at which stride, stands in the block `timm` of params.yaml. Where timm can dilate the
network, it has all its stages; else those beyond the stride are left out.

Shape legend: B batch, K channels, H W image, h w grid, N tokens.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.base.errors import UserError
from pipeline.networks.grid import Geometry
from pipeline.networks.probe import find_corner, find_middle
from pipeline.settings.params import TIMM_INSTALL, Timm

# What timm is asked for, tried in turn because each network takes only some: dilation up to the
# stride, then images of any size.
WAYS: tuple[dict[str, Any], ...] = (
    {"output_stride": None},
    {"dynamic_img_size": True},  # sides are padded here: timm's own padding does not export
    {"strict_img_size": False},
    {},
)
# How sides are padded in front of a network, the first that gives a regular grid: not at all, to
# whole blocks and one pixel (for networks trained with TensorFlow), to whole blocks.
PADDINGS = (None, 1, 0)
WAY_OUT = "give timm.model another name of timm.list_models()"
OTHER_WEIGHTS = "give backbone_weights a file, classifier or none"


class Body(nn.Module):
    """A network of timm as a backbone's body: (B, 3, H, W) to (B, K, ceil(H/s), ceil(W/s)).

    Attributes:
        net: timm's own module; tensors have its names.
        asked: what timm was asked for.
        extra: of PADDINGS.
        middle: a middle block's output passes it as (B, K, h, w); its gradient is the saliency.
        grids: of the image at hand, (h, w) with the padding and without.
    """

    def __init__(self, net: Any, asked: Mapping[str, Any], stride: int, extra: int | None) -> None:
        """Wrap a network that gives a list with one level of features."""
        super().__init__()
        self.net = net
        self.middle = nn.Identity()
        self.asked = dict(asked)
        self.stride = stride
        self.extra = extra
        self.channels_last = getattr(net, "output_fmt", "NCHW") == "NHWC"
        self.grids = (0, 0), (0, 0)
        from timm.data import IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD

        given = IMAGENET_DEFAULT_MEAN, IMAGENET_DEFAULT_STD  # as pipeline.batches has them
        own = tuple(net.pretrained_cfg["mean"]), tuple(net.pretrained_cfg["std"])
        self.renormalised = own != given
        if self.renormalised:
            own_mean, own_std, mean, std = (torch.tensor(v).view(3, 1, 1) for v in (*own, *given))
            self.register_buffer("factor", std / own_std, persistent=False)
            self.register_buffer("shift", (mean - own_mean) / own_std, persistent=False)

    def forward(self, images_B3HW: Tensor) -> Tensor:
        """Map images that are normalised with ImageNet's mean and deviation."""
        if self.renormalised:
            # Networks that saw other values of the same colours get those.
            factor_311, shift_311 = cast(Tensor, self.factor), cast(Tensor, self.shift)
            images_B3HW = images_B3HW * factor_311 + shift_311
        features = self.net(self._padded(images_B3HW))[-1]
        features_BKhw: Tensor = features.permute(0, 3, 1, 2) if self.channels_last else features
        h, w = self.grids[1]
        return features_BKhw[..., :h, :w] if self.extra == 1 else features_BKhw

    def look_through(self, block: str, layout: str) -> None:
        """Have the output of a block of `net` pass `middle`; layouts as in `find_middle`."""
        hooks = {"grid": self._of_grid, "last": self._of_last, "tokens": self._of_tokens}
        self.net.get_submodule(block).register_forward_hook(hooks[layout])

    def _padded(self, images_B3HW: Tensor) -> Tensor:
        """Images at a size that the network takes; their grids are kept for the hooks."""
        stride, (height, width) = self.stride, images_B3HW.shape[-2:]
        h, w = (height + stride - 1) // stride, (width + stride - 1) // stride
        self.grids = (h, w), (h, w)
        if self.extra is None:
            return images_B3HW
        one = self.extra
        down, right = (height - one + stride - 1) // stride, (width - one + stride - 1) // stride
        self.grids = (down + one, right + one), (h, w)
        pads = (0, right * stride + one - width, 0, down * stride + one - height)
        return F.pad(images_B3HW, pads)

    def _of_grid(self, _block: nn.Module, _inputs: object, output_BKhw: Tensor) -> Tensor:
        if self.extra != 1:
            return cast(Tensor, self.middle(output_BKhw))
        h, w = self.grids[1]
        whole_BKhw = output_BKhw.clone()
        whole_BKhw[..., :h, :w] = self.middle(output_BKhw[..., :h, :w])
        return whole_BKhw

    def _of_last(self, block: nn.Module, inputs: object, output_BhwK: Tensor) -> Tensor:
        return self._of_grid(block, inputs, output_BhwK.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)

    def _of_tokens(self, block: nn.Module, inputs: object, output_BNK: Tensor) -> Tensor:
        h, w = self.grids[0]
        before = output_BNK.shape[1] - h * w  # class token and registers
        grid_BKhw = output_BNK[:, before:].transpose(1, 2).unflatten(2, (h, w))
        patches_BNK = self._of_grid(block, inputs, grid_BKhw).flatten(2).transpose(1, 2)
        return torch.cat([output_BNK[:, :before], patches_BNK], dim=1)


def check(timm: Timm, weights: str) -> None:
    """Refuse early what cannot serve.

    Raises:
        UserError: as `build`; or `weights` is `imagenet`, and timm has none.
    """
    body, _ = build(timm)
    if weights == "imagenet":
        _need_pretrained(timm, body)


def build(timm: Timm) -> tuple[nn.Module, Geometry]:
    """The network of the block `timm` with random weights, as timm draws them.

    Raises:
        UserError: timm does not know it, or it cannot serve; the message says why.
    """
    _know(timm.model)
    stride, reasons = timm.output_stride, []
    for asked, level in _ways(timm):
        net = _create(timm, asked, out_indices=(level,))
        for extra in PADDINGS:
            body = Body(net, asked, stride, extra)
            try:
                corner = find_corner(body, stride)
                channels, block, layout = find_middle(body, net, stride)
            except Exception as error:  # a network raises anything where its layers do not meet
                reasons.append(_first_line(error))
                continue
            body.look_through(block, layout)
            return body, Geometry(channels, stride, corner, saliency="middle")
    raise UserError(f"timm.model: {timm.model} has no regular grid ({reasons[-1]}); {WAY_OUT}")


def imagenet(timm: Timm, body: Body) -> dict[str, Tensor]:
    """Tensors of a body, from timm's own pretrained weights; the hub's cache is used.

    Raises:
        UserError: there are none, or they cannot be had.
    """
    _need_pretrained(timm, body)
    (level,) = body.net.feature_info.out_indices
    try:
        net = _create(timm, body.asked, out_indices=(level,), pretrained=True)
    except Exception as error:  # of the network, the hub, the disk, or timm
        raise UserError(
            f"backbone_weights: the weights of timm's {timm.model} cannot be had "
            f"({_first_line(error)}); they come from the hub over the network; or {OTHER_WEIGHTS}"
        ) from error
    return {f"net.{key}": value for key, value in net.state_dict().items()}


def renamed(state: Mapping[str, Tensor], body: Body, timm: Timm) -> dict[str, Tensor]:
    """The tensors of a body in a file of timm's whole network, by their names in the body.

    Classifier and stages that the body does without are left out; what the whole network does not
    have stays in, so that the file is refused.
    """
    found, used = {}, set()
    for key in body.net.state_dict():
        first, _, rest = key.partition(".")
        split = ".".join(first.rsplit("_", 1))  # timm's `stages_2` was `stages.2`
        for name in (key, key.removeprefix("model."), f"{split}.{rest}"):
            if name in state:
                found[f"net.{key}"] = state[name]
                used.add(name)
                break
    import timm as package

    with torch.device("meta"):
        whole = package.create_model(timm.model).state_dict().keys()
    return found | {f"net.{key}": state[key] for key in state.keys() - used - whole}


def _ways(timm: Timm) -> list[tuple[dict[str, Any], int]]:
    """What timm can be asked for, each with the network's last level at the stride.

    Raises:
        UserError: there is no such level.
    """
    stride, seen, reason, found = timm.output_stride, set(), "", []
    for way in WAYS:
        asked = {key: stride if value is None else value for key, value in way.items()}
        try:
            with torch.device("meta"):
                info = _create(timm, asked).feature_info
        except Exception as error:  # timm raises anything where an argument is not taken
            reason = _first_line(error)
            continue
        strides = info.reduction()
        seen |= set(strides)
        levels = [
            level for level, at in zip(info.out_indices, strides, strict=True) if at == stride
        ]
        found += [(asked, levels[-1])] if levels else []
    if not seen:
        raise UserError(f"timm.model: {timm.model} gives no features ({reason}); {WAY_OUT}")
    if not found:
        has = ", ".join(str(at) for at in sorted(seen))
        raise UserError(
            f"timm.output_stride: {timm.model} has no features at stride {stride}, but at {has}; "
            "give one of these, or another timm.model"
        )
    return found


def _know(model: str) -> None:
    """Refuse a name that timm does not have."""
    try:
        import timm
    except ImportError:
        raise UserError(f"backbone: timm needs a package: {TIMM_INSTALL}") from None
    arch, _, tag = model.partition(".")
    if not timm.is_model(arch):
        near = get_close_matches(arch, timm.list_models(), 3)
        hint = f"; near it are {', '.join(near)}" if near else ""
        raise UserError(f"timm.model: timm {timm.__version__} has no {arch!r}{hint}")
    tags = [name.partition(".")[2] for name in timm.list_pretrained(f"{arch}.*")]
    if tag and tag not in tags:
        has = f"the tags {', '.join(tags)}" if tags else "no tags"
        raise UserError(f"timm.model: {arch} has no tag {tag!r}, but {has}")


def _need_pretrained(timm: Timm, body: nn.Module) -> None:
    """Refuse `imagenet` for a network without weights."""
    own = cast(Any, body.net).pretrained_cfg
    if not any(own.get(key) for key in ("url", "hf_hub_id", "file")):
        raise UserError(
            f"backbone_weights: timm has no weights of {timm.model}; {OTHER_WEIGHTS}, or "
            "timm.model a name of timm.list_pretrained()"
        )


def _create(timm: Timm, asked: Mapping[str, Any], **more: Any) -> Any:
    """A network that gives a list of features, without stochastic depth.

    No other backbone here has it, and each of several processes would drop other layers.
    """
    import timm as package
    from timm.layers import DropPath

    net = package.create_model(timm.model, features_only=True, **asked, **more)
    for part in net.modules():
        if isinstance(part, DropPath):
            part.drop_prob = 0.0
    return net


def _first_line(error: Exception) -> str:
    """What an exception says, on one line."""
    return str(error).partition("\n")[0] or f"{type(error).__name__} inside it"
