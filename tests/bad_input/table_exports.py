"""Bad input in what annotation tools export: a name, and how it comes to be (as in table.py)."""

from collections.abc import Callable
from typing import Any

import numpy as np

from tests.bad_input.spoiling import (
    Spoil,
    added,
    content,
    cut,
    edited,
    entry,
    every,
    gone,
    moved,
    pixels,
    replaced,
    scene_mask,
)

GREY16 = np.full((48, 48), 40_000, dtype=np.uint16)
MASK = scene_mask(1)  # of "scene 1"

COLOURS = (
    ("table without background", every(gone("classes.txt"), replaced("colours.csv", "background,", "sky,"))),
    ("colour that is not in the table", pixels("masks/scene 1.png", np.full((48, 48, 3), 7, np.uint8))),
    ("colours smoothed at the edges", pixels("masks/scene 1.png", np.arange(48 * 48 * 3, dtype=np.uint8).reshape(48, 48, 3))),
    ("mask that is a JPEG under another name", pixels("masks/scene 1.png", np.zeros((48, 48, 3), np.uint8), "JPEG")),
    ("mask of 16 bits", pixels("masks/scene 1.png", GREY16)),
    ("mask truncated", cut("masks/scene 1.png", 0.5)),
    ("mask of another size", pixels("masks/scene 1.png", np.zeros((9, 48, 3), np.uint8))),
    ("mask of indices", pixels("masks/scene 1.png", MASK)),
    ("table with a colour twice", added("colours.csv", "ship,128,0,0")),
    ("table with a colour past 255", added("colours.csv", "ship,256,0,0")),
    ("table with a colour of words", added("colours.csv", "ship,red,0,0")),
    ("table with a column too many", added("colours.csv", "ship,1,2,3,4")),
    ("table with a class that classes.txt lacks", added("colours.csv", "ship,1,2,3")),
    ("table without a class of classes.txt", replaced("colours.csv", "boat,128,0,0\n", "")),
    ("table with semicolons", replaced("colours.csv", ",", ";")),
    ("table of no bytes", content("colours.csv", "")),
    ("table without names, no classes.txt", every(gone("classes.txt"), content("colours.csv", "name,red,green,blue\n,1,2,3\nboat,0,0,0\n"))),
)  # fmt: skip

COLOURS_READ = (
    ("table under its American name", moved("colours.csv", "colors.csv")),
    ("table without classes.txt", gone("classes.txt")),
    ("mask with a palette", pixels("masks/scene 1.png", np.zeros((48, 48), np.uint8))),
)  # fmt: skip

OWN = "annotations.json"
TRIANGLE = [[1, 1, 9, 1, 9, 9]]

OWN_COCO = (
    ("corners in pairs", edited(OWN, entry("annotations", segmentation=[[[1, 1], [9, 1], [9, 9]]]))),
    ("run lengths in a list", edited(OWN, entry("annotations", segmentation=[{"size": [48, 48], "counts": [2304]}]))),
    ("corners without a list of polygons", edited(OWN, entry("annotations", segmentation=[1, 1, 9, 1, 9, 9]))),
    ("no background in the list", replaced("classes.txt", "background\n", "")),
    ("JSON broken", cut(OWN, 0.5)),
    ("JSON that is no COCO", content(OWN, "{}")),
    ("image with a width of words", edited(OWN, entry("images", width="wide"))),
    ("image without a size", edited(OWN, entry("images", width=None))),
    ("image that is not there", edited(OWN, entry("images", file_name="scene 99.jpg"))),
    ("image of another size", edited(OWN, lambda v: [v["images"][0].update(width=9, height=9), v.update(annotations=[{**v["annotations"][0], "segmentation": TRIANGLE}])])),
    ("image twice", edited(OWN, lambda v: v["images"][1].update(file_name=v["images"][0]["file_name"]))),
    ("category unknown", edited(OWN, entry("annotations", category_id=12))),
    ("category that classes.txt lacks", edited(OWN, lambda v: [item.update(name=item["name"].title()) for item in v["categories"]])),
    ("annotation without outline and box", edited(OWN, entry("annotations", segmentation=None))),
    ("annotation with a box of three numbers", edited(OWN, entry("annotations", segmentation=[], bbox=[1, 2, 3]))),
    ("annotation with a box of words", edited(OWN, entry("annotations", segmentation=[], bbox=["a", 2, 3, 4]))),
    ("categories that differ only in case, no classes.txt", every(gone("classes.txt"), edited(OWN, lambda v: v["categories"].append({"id": 99, "name": "Boat"})))),
    ("category with a semicolon, no classes.txt", every(gone("classes.txt"), edited(OWN, entry("categories", name="boat;ship")))),
    ("masks beside it", every(lambda root: (root / "masks").mkdir(), pixels("masks/scene 1.png", MASK))),
    ("CVAT's XML beside it", content("annotations.xml", "<annotations/>")),
    ("no annotation", edited(OWN, lambda v: v["annotations"].clear())),
)  # fmt: skip

OWN_COCO_READ = (
    ("file that begins with a mark", lambda root: (root / OWN).write_bytes(b"\xef\xbb\xbf" + (root / OWN).read_bytes())),
    ("ids of text", edited(OWN, lambda v: [v["images"][0].update(id="x"), *(item.update(image_id="x") for item in v["annotations"] if item["image_id"] == 0)])),
    ("outline in shares of the sides", edited(OWN, entry("annotations", segmentation=[[0, 0, 0.5, 0, 0.5, 0.5]]))),
    ("outline of two corners", edited(OWN, entry("annotations", segmentation=[[1, 1, 9, 9]]))),
    ("file under another name", moved(OWN, "result.json")),
    ("box alone", edited(OWN, lambda v: [item.update(segmentation=[], bbox=[1, 1, 9, 9]) for item in v["annotations"] if item["image_id"] == 0])),
    ("crowd alone", edited(OWN, lambda v: [item.update(iscrowd=1) for item in v["annotations"] if item["image_id"] == 0])),
    ("image that is not there, and not annotated", edited(OWN, lambda v: v["images"].append({"id": 99, "file_name": "x.jpg", "width": 9, "height": 9}))),
    ("masks/ that is empty", lambda root: (root / "masks").mkdir()),
)  # fmt: skip

SHAPES = "images/scene 1.json"

LABELME = (
    ("JSON broken", cut(SHAPES, 0.5)),
    ("JSON of no bytes", content(SHAPES, "")),
    ("JSON that is no text", content(SHAPES, b"\xff\xfe\x00")),
    ("JSON nested too deep", content(SHAPES, "[" * 100_000)),
    ("JSON of something else", content("images/x.json", '{"a": 1}')),
    ("JSON of COCO's among the images", content("images/x.json", '{"images": [], "annotations": []}')),
    ("file without an image", every(gone("images/scene 1.jpg"))),
    ("size missing", edited(SHAPES, lambda v: v.pop("imageHeight"))),
    ("size of nothing", edited(SHAPES, lambda v: v.update(imageHeight=0))),
    ("size of another image", edited(SHAPES, lambda v: v.update(imageHeight=99))),
    ("line", edited(SHAPES, entry("shapes", shape_type="linestrip"))),
    ("point", edited(SHAPES, entry("shapes", shape_type="point"))),
    ("polygon of two corners", edited(SHAPES, entry("shapes", shape_type="polygon", points=[[1, 1], [9, 9]]))),
    ("polygon far outside", edited(SHAPES, entry("shapes", shape_type="polygon", points=[[1, 1], [9, 9], [9e9, 1]]))),
    ("corners that are no pairs", edited(SHAPES, entry("shapes", shape_type="polygon", points=[[1, 1], [9, 9, 9], [2, 2]]))),
    ("mask without a corner", edited(SHAPES, entry("shapes", points=[]))),
    ("size of words", edited(SHAPES, lambda v: v.update(imageHeight="high"))),
    ("circle of three points", edited(SHAPES, entry("shapes", shape_type="circle", points=[[1, 1], [9, 9], [2, 2]]))),
    ("mask that is no PNG", edited(SHAPES, entry("shapes", mask="AAAA"))),
    ("mask outside", edited(SHAPES, entry("shapes", points=[[49, 49], [90, 90]]))),
    ("label missing", edited(SHAPES, entry("shapes", label=None))),
    ("label that is no class", edited(SHAPES, entry("shapes", label="unicorn"))),
    ("shapes that are none", edited(SHAPES, lambda v: v.update(shapes=[7]))),
    ("flags that are none", edited(SHAPES, lambda v: v.update(flags=[1]))),
    ("labels that differ only in case, no classes.txt", every(gone("classes.txt"), edited(SHAPES, entry("shapes", label="Boat")))),
    ("several mistakes", every(cut("images/scene 0.json", 0.5), edited(SHAPES, entry("shapes", shape_type="line")), gone("images/scene 2.jpg"), added("tags.csv", "scene 98,boat"))),
)  # fmt: skip

LABELME_READ = (
    ("mask over the edge", edited(SHAPES, entry("shapes", points=[[40, 40], [90, 90]]))),
    ("files in labelme/", every(lambda root: (root / "labelme").mkdir(), lambda root: [path.rename(root / "labelme" / path.name) for path in (root / "images").glob("*.json")])),
    ("file without a shape", edited(SHAPES, lambda v: v["shapes"].clear())),
    ("file with a mark in front", lambda root: (root / SHAPES).write_bytes(b"\xef\xbb\xbf" + (root / SHAPES).read_bytes())),
)  # fmt: skip

XML = "annotations.xml"
FIRST = '<image name="scene 0.jpg" width="48" height="41">'


def drawn(shape: str) -> Spoil:
    """CVAT's file with one more shape in its first image."""
    return replaced(XML, FIRST, FIRST + shape)


CVAT = (
    ("XML broken", cut(XML, 0.5)),
    ("XML of no bytes", content(XML, "")),
    ("XML that is HTML", content(XML, "<html></html>")),
    ("XML with entities", content(XML, '<!DOCTYPE a [<!ENTITY a "aaa">]><annotations>&a;</annotations>')),
    ("XML in an unknown encoding", content(XML, b'<?xml version="1.0" encoding="x-none"?><annotations/>')),
    ("tracks of a video", replaced(XML, "</annotations>", "<track/></annotations>")),
    ("image without a name", replaced(XML, 'name="scene 0.jpg" ', "")),
    ("image without a width", replaced(XML, FIRST, '<image name="scene 0.jpg" height="41">')),
    ("image of another size", replaced(XML, FIRST, '<image name="scene 0.jpg" width="48" height="48">')),
    ("image that is not there", replaced(XML, "scene 0.jpg", "scene 99.jpg")),
    ("image twice", replaced(XML, "scene 1.jpg", "scene 0.jpg")),
    ("label that is no class", drawn('<tag label="unicorn"/>')),
    ("shape without a label", drawn('<polygon points="1,1;9,1;9,9"/>')),
    ("polyline", drawn('<polyline label="boat" points="1,1;9,1;9,9"/>')),
    ("skeleton", drawn('<skeleton label="boat"><points label="boat" points="1,1"/></skeleton>')),
    ("polygon of two corners", drawn('<polygon label="boat" points="1,1;9,1"/>')),
    ("polygon with half a corner", drawn('<polygon label="boat" points="1,1;9,1;9"/>')),
    ("polygon without end", drawn('<polygon label="boat" points="1,1;9,1;inf,9"/>')),
    ("box with words", drawn('<box label="boat" xtl="left" ytl="1" xbr="9" ybr="9"/>')),
    ("box without a side", drawn('<box label="boat" xtl="1" ytl="1" xbr="9"/>')),
    ("mask that does not fill its box", drawn('<mask label="boat" rle="1, 2" left="0" top="0" width="2" height="2"/>')),
    ("mask outside", drawn('<mask label="boat" rle="0, 4" left="48" top="0" width="2" height="2"/>')),
    ("mask of a huge box", drawn('<mask label="boat" rle="0, 4" left="47" top="0" width="99999" height="99999"/>')),
)  # fmt: skip

CVAT_READ = (
    ("mask over the edge", drawn('<mask label="boat" rle="0, 4" left="47" top="0" width="2" height="2"/>')),
    ("image in a folder", replaced(XML, "scene 0.jpg", "task/scene 0.jpg")),
    ("attributes of shapes", drawn('<polygon label="boat" points="1,1;9,1;9,9"><attribute name="name">label</attribute></polygon>')),
    ("two files", every(lambda root: (root / "annotations").mkdir(), moved(XML, "annotations/1.xml"), content("annotations/2.xml", "<annotations/>"))),
    ("box alone", replaced(XML, '<image name="scene 4.jpg" width="48" height="48">', '<image name="scene 4.jpg" width="48" height="48"><box label="kite" xtl="1" ytl="1" xbr="9" ybr="9"/>')),
)  # fmt: skip


def results(change: Callable[[dict[str, Any]], object]) -> Spoil:
    """Label Studio's file with the first result of its first task changed."""
    return edited(OWN, lambda tasks: change(tasks[0]["annotations"][0]["result"][0]))


LABEL_STUDIO = (
    ("JSON broken", cut(OWN, 0.5)),
    ("JSON-MIN", content(OWN, '[{"image": "scene 0.jpg"}]')),
    ("image that is not there", edited(OWN, lambda v: v[0]["data"].update(image="/data/upload/1/x.jpg"))),
    ("image of another size", edited(OWN, lambda v: [each.update(original_width=9) for each in v[0]["annotations"][0]["result"]])),
    ("two annotations", edited(OWN, lambda v: v[0]["annotations"].append(v[0]["annotations"][0]))),
    ("points", results(lambda v: v.update(type="keypointlabels", value={"x": 1, "keypointlabels": ["boat"]}))),
    ("brush cut short", results(lambda v: v["value"]["rle"].pop())),
    ("label that is no class", results(lambda v: v["value"].update(brushlabels=["baot"]))),
)  # fmt: skip

LABEL_STUDIO_READ = (
    ("task that is skipped", edited(OWN, lambda v: v[0]["annotations"][0].update(was_cancelled=True))),
    ("task without shapes", edited(OWN, lambda v: v[0]["annotations"][0]["result"].clear())),
    ("choice that is no class", edited(OWN, lambda v: v[-1]["annotations"][0]["result"][0]["value"]["choices"].append("blurred"))),
)  # fmt: skip
