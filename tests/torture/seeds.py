"""Good files of every kind a reader takes, small, for the fuzzer to start from."""

import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.data.manifest import Row, make_classes, write_manifest
from tests.settings import ROOT
from tests.sixteen import png16, tiff

SIDE = 12
CLASSES = ("background", "cat", "dog")


def images() -> list[bytes]:
    """Photographs in the kinds and modes people have."""
    noise = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    picture = Image.fromarray(noise)
    exif = Image.Exif()
    exif[0x0112] = 6
    wide = Image.fromarray(noise[..., 0].astype(np.uint16) << 8)
    return [
        saved(picture, "JPEG", exif=exif),
        saved(picture, "JPEG", progressive=True),
        saved(picture.convert("CMYK"), "JPEG"),
        saved(picture.convert("L"), "JPEG"),
        saved(picture, "PNG", exif=exif),
        saved(picture.convert("RGBA"), "PNG"),
        saved(wide, "PNG"),
        png16(noise.astype(np.uint16) << 4),
        saved(picture, "PNG", save_all=True, append_images=[picture]),
        saved(picture, "BMP"),
        saved(picture, "TIFF", exif=exif),
        saved(wide, "TIFF"),
        tiff(noise.astype(np.uint16) << 4, compression=8),
        saved(picture, "TIFF", compression="tiff_lzw"),
        saved(picture, "WEBP"),
        saved(picture.convert("P"), "GIF"),
    ]


def masks() -> list[bytes]:
    """Indexed PNGs, with and without a palette."""
    mask = (np.arange(SIDE * SIDE) % len(CLASSES)).astype(np.uint8).reshape(SIDE, SIDE)
    mask[0] = 255
    plain = Image.fromarray(mask)
    painted = plain.copy()
    painted.putpalette(list(range(256)) * 3)
    return [saved(plain, "PNG"), saved(painted, "PNG")]


def params() -> list[bytes]:
    """The params files that come with the project."""
    return [path.read_bytes() for path in (ROOT / "params.yaml", ROOT / "recipes/folder.yaml")]


def manifests(folder: Path) -> list[bytes]:
    """A manifest of four rows."""
    rows = [
        Row("a", "@root/images/a b.jpg", "masks/a.png", "strong", (1, 2), 10, 6, "0" * 32),
        Row("b", "images/b.png", "", "weak", (), 7, 8),
        Row("c,d", "images/c.png", "masks/c.png", "val", (2,), 9, 9),
        Row("é", "images/d.png", "", "test", (), 9, 9),
    ]
    write_manifest(folder, rows, make_classes(CLASSES))
    return [(folder / "manifest.csv").read_bytes()]


def instances() -> list[bytes]:
    """COCO's JSON with polygons and both kinds of run lengths."""
    kinds = [
        [[2, 2, 9, 2, 9.5, 8, 2, 8], [1, 1, 3, 1, 3, 3]],
        {"size": [SIDE, SIDE], "counts": [20, 4, SIDE * SIDE - 24]},
        {"size": [SIDE, SIDE], "counts": "d04h3"},
    ]
    content = {
        "info": {"year": 2017},
        "images": [
            {"id": n, "file_name": f"{n}.jpg", "width": SIDE, "height": SIDE} for n in range(3)
        ],
        "annotations": [
            {
                "id": n,
                "image_id": n % 3,
                "category_id": 1 + n % 2 * 17,
                "segmentation": kind,
                "iscrowd": n % 2,
                "area": 12.5 * n,
            }
            for n, kind in enumerate(kinds)
        ],
        "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}],
    }
    return [json.dumps(content).encode(), json.dumps(content, indent=1).encode()]


def matlab() -> list[bytes]:
    """Masks as SBD keeps them."""
    from scipy.io import savemat

    buffer = io.BytesIO()
    mask = np.arange(SIDE, dtype=np.uint8)[None].repeat(SIDE, 0)
    savemat(buffer, {"GTcls": {"Segmentation": mask}}, do_compression=True)
    return [buffer.getvalue()]


def exports() -> list[bytes]:
    """COCO JSON, LabelMe, CVAT and a table of colours, each behind the letter of its kind."""
    size = {"width": 16, "height": 12}
    boxes = [
        {"id": 0, "image_id": 0, "category_id": 3, "segmentation": [[1, 1, 9, 1, 9, 9]]},
        {"id": 1, "image_id": 0, "category_id": 3, "bbox": [1, 1, 5, 5]},
    ]
    categories = [{"id": 3, "name": "cat"}]
    coco = {"images": [{"id": 0, "file_name": "a.jpg", **size}], "categories": categories}
    shapes = [
        {"label": "cat", "points": [[1, 1], [9, 1], [9, 9]], "shape_type": "polygon"},
        {"label": "cat", "points": [[5, 5], [5, 8]], "shape_type": "circle"},
        {"label": "dog", "points": [[5, 5], [9, 8]], "shape_type": "rectangle"},
    ]
    labelme = {"version": "5.0.1", "flags": {"dog": True}, "shapes": shapes}
    cvat = (
        '<annotations><meta><labels><label><name>cat</name></label></labels></meta><image name="a"'
        ' width="16" height="12"><polygon label="cat" points="1,1;9,1;9,9" z_order="1"/><tag '
        'label="cat"/><box label="cat" xtl="1" ytl="1" xbr="9" ybr="9" rotation="9"/><ellipse '
        'label="cat" cx="5" cy="5" rx="3" ry="2"/><mask label="cat" rle="1, 2, 1" left="1" top="1"'
        ' width="2" height="2"/></image></annotations>'
    )
    return [
        b"o" + json.dumps({**coco, "annotations": boxes}).encode(),
        b"l" + json.dumps({**labelme, "imageWidth": 16, "imageHeight": 12}).encode(),
        b"c" + cvat.encode(),
        b"tname,red,green,blue\nbackground,0,0,0\ncat,9,9,9\nignore,255,255,255\n",
    ]


def folders() -> list[bytes]:
    """classes.txt, tags.csv, train.txt and val.txt, with a NUL between them."""
    made = [
        (
            "background\ncat\ndog\n",
            "image,tags\nt0.jpg,cat;dog\nt1,dog\n",
            "m0\nm1\nt0\nt1\n",
            "m2\n",
        ),
        (
            "\ufeffbackground\r\ncat\r\n",
            'image,tags\r\n"t0","cat"\r\n',
            "m0\r\nt0\r\n",
            "m1\r\n",
        ),
    ]
    return ["\0".join(parts).encode() for parts in made]


def archives() -> list[bytes]:
    """Tars and zips of two small files."""
    files = {"top/a.txt": b"one", "top/b/c.txt": b"two" * 40}
    made = []
    for mode in ("w:", "w:gz", "w:bz2", "w:xz"):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode=mode) as tar:  # type: ignore[call-overload]
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        made.append(buffer.getvalue())
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as packed:
            for name, data in files.items():
                packed.writestr(name, data)
        made.append(buffer.getvalue())
    return made


def weights() -> list[bytes]:
    """One tensor as safetensors and as torch saves it, behind a byte that says which."""
    import torch  # half a gigabyte that the other targets need not start with
    from safetensors.torch import save

    state = {"backbone.body.0.weight": torch.zeros(2, 3)}
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return [b"s" + save(state), b"p" + buffer.getvalue()]


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    """The bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()
