"""Bad input of every kind: a name, and how it comes to be; messages.txt has what is said of it."""

import numpy as np

from tests.bad_input.spoiling import (
    TRAIN,
    VAL,
    Spoil,
    added,
    animated,
    content,
    cut,
    decomposed,
    edited,
    entry,
    every,
    gone,
    huge,
    lists,
    matlab,
    moved,
    picture,
    pixels,
    renamed,
    replaced,
    scene_mask,
    turned,
)

GREY16 = np.full((48, 48), 40_000, dtype=np.uint16)
MASK = scene_mask(1)  # of "scene 1"
STRONG = [f"scene {n}" for n in range(4)]
WEAK = [f"scene {n}" for n in range(4, 12)]
LONG = "x" * 250

# --- a folder of photographs: what is refused ---------------------------------------------------

FOLDER = (
    ("image truncated", cut("images/scene 4.jpg", 0.6)),
    ("image truncated by its last bytes", cut("images/scene 4.jpg", 0.98)),
    ("png truncated", every(picture("images/scene 4.jpg", kind="PNG"), cut("images/scene 4.jpg", 0.6))),
    ("image of no bytes", content("images/scene 4.jpg", "")),
    ("image that is text", content("images/scene 4.jpg", "<html>404</html>")),
    ("image of 30,000 x 30,000", huge("images/scene 4.jpg")),
    ("image of floats", pixels("images/scene 4.jpg", np.ones((9, 9), np.float32), "TIFF")),
    ("image of 32-bit integers", pixels("images/scene 4.jpg", np.ones((9, 9), np.int32), "TIFF")),
    ("image that is a folder", every(gone("images/scene 4.jpg"), lambda root: (root / "images/scene 4.jpg").mkdir())),
    ("image that is a dead link", every(gone("images/scene 4.jpg"), lambda root: (root / "images/scene 4.jpg").symlink_to("nowhere"))),
    ("image of another kind", content("images/raw.cr2", "x")),
    ("folder in images", lambda root: (root / "images/more").mkdir()),
    ("no images", gone("images/*")),
    ("no folder of images", moved("images", "photos")),
    ("two images of one stem", content("images/scene 4.png", "x")),
    ("twelve images truncated", every(*(cut(f"images/scene {n}.jpg", 0.5) for n in range(12)))),
    ("mask in colours", pixels("masks/scene 1.png", np.zeros((48, 48, 3), np.uint8))),
    ("mask of 16 bits", pixels("masks/scene 1.png", GREY16)),
    ("mask that is a JPEG under another name", pixels("masks/scene 1.png", MASK, "JPEG")),
    ("mask that is a GIF under another name", pixels("masks/scene 1.png", MASK, "GIF")),
    ("mask of bits", pixels("masks/scene 1.png", MASK > 0)),
    ("mask of another size", pixels("masks/scene 1.png", MASK[:-1])),
    ("mask with an index past the classes", pixels("masks/scene 1.png", MASK | 16)),
    ("mask truncated", cut("masks/scene 1.png", 0.5)),
    ("mask of no bytes", content("masks/scene 1.png", "")),
    ("mask of 30,000 x 30,000", huge("masks/scene 1.png")),
    ("mask for an image that is not there", content("masks/scene 99.png", "x")),
    ("mask that is a JPEG", moved("masks/scene 1.png", "masks/scene 1.jpg")),
    ("masks of 0 and 255", every(*(pixels(f"masks/scene {n}.png", (scene_mask(n) > 0).astype(np.uint8) * 255) for n in (0, 1, 2, 3, 12, 13, 14)))),
    ("mask of a lying photograph as it was shot", every(turned("images/scene 0.jpg", 6), pixels("masks/scene 0.png", np.rot90(scene_mask(0))))),
    ("no masks", gone("masks/*")),
    ("no folder of masks", moved("masks", "labels")),
    ("tag unknown", replaced("tags.csv", "scene 4.jpg,", "scene 4.jpg,unicorn;")),
    ("tag in capitals", replaced("tags.csv", "scene 4.jpg,", "scene 4.jpg,Boat;")),
    ("background as a tag", replaced("tags.csv", "scene 4.jpg,", "scene 4.jpg,background;")),
    ("tags twice", added("tags.csv", "scene 4,boat")),
    ("tags twice, first empty", content("tags.csv", "image,tags\nscene 4,\nscene 4,boat\n")),
    ("tags of an unknown image", added("tags.csv", "scene 99.jpg,boat")),
    ("tags in several columns", added("tags.csv", "scene 4.jpg,boat,train")),
    ("tags with semicolons between columns", content("tags.csv", "image;tags\nscene 4;boat\n")),
    ("tags without a header", content("tags.csv", "scene 4,boat\n")),
    ("tags of no bytes", content("tags.csv", "")),
    ("tags in Latin-1", content("tags.csv", "image,tags\nscène 4,boat\n".encode("latin-1"))),
    ("tags with a field without end", content("tags.csv", 'image,tags\nscene 4,"' + "x" * 200_000)),
    ("no tags", gone("tags.csv")),
    ("class twice", added("classes.txt", "boat")),
    ("class empty", replaced("classes.txt", "boat\n", "\n")),
    ("class with a semicolon", replaced("classes.txt", "boat\n", "boat;ship\n")),
    ("one class only", content("classes.txt", "background\n")),
    ("300 classes", content("classes.txt", "\n".join(map(str, range(300))))),
    ("classes of no bytes", content("classes.txt", "")),
    ("classes in UTF-16", content("classes.txt", "background\nboat\n".encode("utf-16"))),
    ("no classes", gone("classes.txt")),
    ("classes that are a folder", every(gone("classes.txt"), lambda root: (root / "classes.txt").mkdir())),
    ("lists that overlap", lists(train=[*STRONG, *WEAK], val=["scene 0", "scene 12"])),
    ("list with an unknown image", lists(val=["scene 12", "scene 99"])),
    ("list with an image twice", lists(val=["scene 12", "scene 12"])),
    ("list with suffixes", lists(val=["scene 12.jpg"])),
    ("val without masks", lists(val=["scene 4", "scene 12"])),
    ("val empty", lists(val=[])),
    ("train empty", lists(train=[], val=["scene 12"])),
    ("strong empty", lists(train=WEAK, val=["scene 12"])),
    ("weak empty", lists(train=STRONG, val=["scene 12"])),
    ("list that is no text", content("splits/val.txt", b"\xff\xfe\x00")),
    ("names that differ only in case", every(renamed("scene 4", "Photo"), renamed("scene 5", "photo"))),
    ("names that differ only in Unicode form", every(renamed("scene 4", "Käfer"), renamed("scene 5", decomposed("Käfer")))),
    ("name of 250 characters", renamed("scene 4", LONG)),
    ("name with a line end", renamed("scene 4", "a\nb")),
    ("name with a line separator", renamed("scene 0", "a\u2028b")),
    ("name with a blank at its end", renamed("scene 4", "scene 4 ")),
    ("name with a backslash", renamed("scene 4", "a\\b")),
    ("name that is no UTF-8", renamed("scene 0", "a\udcff")),
    ("five kinds of mistakes", every(
        cut("images/scene 4.jpg", 0.5), pixels("masks/scene 1.png", MASK | 16), added("tags.csv", "scene 99.jpg,unicorn"),
        lists(val=["scene 12", "scene 98"]), renamed("scene 5", LONG))),
)  # fmt: skip

# --- a folder of photographs: what is read with care, as the summary of stage download says it --

READ = (
    ("image turned by EXIF", turned("images/scene 4.jpg", 6)),
    ("image turned by EXIF, with its mask upright", turned("images/scene 0.jpg", 6)),
    ("image mirrored by EXIF", turned("images/scene 4.jpg", 2)),
    ("image in CMYK", picture("images/scene 4.jpg", "CMYK")),
    ("image in Lab", picture("images/scene 4.jpg", "LAB", "TIFF")),
    ("image in grey", picture("images/scene 4.jpg", "L")),
    ("image in black and white", picture("images/scene 4.jpg", "1", "PNG")),
    ("image of 16-bit grey", pixels("images/scene 4.jpg", GREY16)),
    ("TIFF of 16-bit grey", pixels("images/scene 4.jpg", GREY16, "TIFF")),
    ("image with alpha", picture("images/scene 4.jpg", "RGBA", "PNG")),
    ("image in grey with alpha", picture("images/scene 4.jpg", "LA", "PNG")),
    ("image with a palette", picture("images/scene 4.jpg", "P", "GIF")),
    ("image with a transparent colour", picture("images/scene 4.jpg", "P", "PNG", transparency=0)),
    ("image animated", animated("images/scene 4.jpg")),
    ("image of 1 x 1", pixels("images/scene 4.jpg", np.zeros((1, 1, 3), np.uint8))),
    ("image with the wrong suffix", picture("images/scene 4.jpg", "RGB", "PNG")),
    ("image with a suffix in capitals", moved("images/scene 0.jpg", "images/scene 0.JPG")),
    ("mask of 255 alone", pixels("masks/scene 1.png", np.full((48, 48), 255, np.uint8))),
    ("mask of background alone", pixels("masks/scene 1.png", np.zeros((48, 48), np.uint8))),
    ("mask in grey", pixels("masks/scene 1.png", MASK)),
    ("tags empty", content("tags.csv", "image,tags\nscene 4,\nscene 5,boat\n")),
    ("tags as a spreadsheet writes them", content("tags.csv", b'\xef\xbb\xbfimage,tags\r\n"scene 4.jpg","boat; train"\r\n')),
    ("name with blanks", renamed("scene 0", "a  b c")),
    ("name in Unicode", renamed("scene 0", "Käfer 甲虫")),
    ("name composed in the lists and decomposed on the disk", every(renamed("scene 4", decomposed("Käfer")), replaced("tags.csv", decomposed("Käfer"), "Käfer"))),
    ("name with a leading dash", renamed("scene 0", "-rf")),
    ("name with quotes and commas", renamed("scene 4", "a \"b\", 'c'")),
    ("name that is a tag of HTML", renamed("scene 0", "<script>alert(1)<")),
    ("name of 240 bytes", renamed("scene 0", "x" * 240)),
    ("name with percent and hash", renamed("scene 0", "100%20#1?")),
    ("all at once", every(turned("images/scene 0.jpg", 6), picture("images/scene 4.jpg", "CMYK"), picture("images/scene 5.jpg", "L"), turned("images/scene 6.jpg", 3))),
)  # fmt: skip

# --- a folder with what annotation tools export ------------------------------------------------

COLOURS = (
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
    ("JSON broken", cut(OWN, 0.5)),
    ("JSON that is no COCO", content(OWN, "{}")),
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
    ("circle of three points", edited(SHAPES, entry("shapes", shape_type="circle", points=[[1, 1], [9, 9], [2, 2]]))),
    ("mask that is no PNG", edited(SHAPES, entry("shapes", mask="AAAA"))),
    ("mask outside", edited(SHAPES, entry("shapes", points=[[40, 40], [90, 90]]))),
    ("label missing", edited(SHAPES, entry("shapes", label=None))),
    ("label that is no class", edited(SHAPES, entry("shapes", label="unicorn"))),
    ("shapes that are none", edited(SHAPES, lambda v: v.update(shapes=[7]))),
    ("flags that are none", edited(SHAPES, lambda v: v.update(flags=[1]))),
    ("labels that differ only in case, no classes.txt", every(gone("classes.txt"), edited(SHAPES, entry("shapes", label="Boat")))),
    ("several mistakes", every(cut("images/scene 0.json", 0.5), edited(SHAPES, entry("shapes", shape_type="line")), gone("images/scene 2.jpg"), added("tags.csv", "scene 98,boat"))),
)  # fmt: skip

LABELME_READ = (
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
    ("box without a side", drawn('<box label="boat" xtl="1" ytl="1" xbr="9"/>')),
    ("mask that does not fill its box", drawn('<mask label="boat" rle="1, 2" left="0" top="0" width="2" height="2"/>')),
    ("mask outside", drawn('<mask label="boat" rle="0, 4" left="47" top="0" width="2" height="2"/>')),
    ("mask of a huge box", drawn('<mask label="boat" rle="0, 4" left="47" top="0" width="99999" height="99999"/>')),
)  # fmt: skip

CVAT_READ = (
    ("image in a folder", replaced(XML, "scene 0.jpg", "task/scene 0.jpg")),
    ("attributes of shapes", drawn('<polygon label="boat" points="1,1;9,1;9,9"><attribute name="name">label</attribute></polygon>')),
    ("two files", every(lambda root: (root / "annotations").mkdir(), moved(XML, "annotations/1.xml"), content("annotations/2.xml", "<annotations/>"))),
    ("box alone", replaced(XML, '<image name="scene 4.jpg" width="48" height="48">', '<image name="scene 4.jpg" width="48" height="48"><box label="kite" xtl="1" ytl="1" xbr="9" ybr="9"/>')),
)  # fmt: skip

# --- VOC, with SBD beside it --------------------------------------------------------------------

DEVKIT = "VOCdevkit/VOC2012"
SETS = f"{DEVKIT}/ImageSets/Segmentation"

VOC = (
    ("list not there", gone(f"{SETS}/val.txt")),
    ("list empty", content(f"{SETS}/train.txt", "")),
    ("list with an id twice", added(f"{SETS}/train.txt", "2007_000000")),
    ("list with an unknown id", added(f"{SETS}/train.txt", "2007_999999")),
    ("list with an id that leads out", added(f"{SETS}/train.txt", "../../../../etc/passwd")),
    ("list with an absolute id", added("SBD/train.txt", "/tmp/x")),
    ("lists that overlap", added(f"{SETS}/train.txt", "2007_000012")),
    ("image truncated", cut(f"{DEVKIT}/JPEGImages/2007_000001.jpg", 0.5)),
    ("mask not there", gone(f"{DEVKIT}/SegmentationClass/2007_000001.png")),
    ("mask of SBD not there", gone("SBD/cls/2007_000004.mat")),
    ("masks of SBD damaged", every(cut("SBD/cls/2007_000004.mat", 0.5), content("SBD/cls/2007_000005.mat", "x"))),
    ("mask of SBD with an index past the classes", matlab("SBD/cls/2007_000004.mat", np.full((48, 48), 21))),
    ("mask of SBD with negative indices", matlab("SBD/cls/2007_000004.mat", np.full((48, 48), -1))),
    ("mask of SBD with three dimensions", matlab("SBD/cls/2007_000004.mat", np.zeros((2, 2, 2)))),
)  # fmt: skip

# --- COCO ---------------------------------------------------------------------------------------

IMAGE = "train2017/000000000000.jpg"
FAR = [[1, 1, 9, 1, 1e9, 9]]

COCO = (
    ("JSON broken", cut(TRAIN, 0.5)),
    ("JSON empty", content(TRAIN, "")),
    ("JSON that is a list", content(TRAIN, "[]")),
    ("JSON nested too deep", content(TRAIN, '{"images": ' + "[" * 100_000)),
    ("JSON that is no text", content(TRAIN, b"\xff\xfe")),
    ("JSON without images", edited(TRAIN, lambda v: v.pop("images"))),
    ("JSON with a number of 5,000 digits", replaced(TRAIN, '"id": 0,', f'"id": {"9" * 5000},')),
    ("image without a name", edited(TRAIN, entry("images", file_name=None))),
    ("image without a width", edited(TRAIN, entry("images", width=None))),
    ("image with a name that leads out", edited(TRAIN, entry("images", file_name="../../secret.jpg"))),
    ("image with an absolute name", edited(TRAIN, entry("images", file_name="/etc/passwd"))),
    ("image with a number as its name", edited(TRAIN, entry("images", file_name=7))),
    ("image with no width", edited(TRAIN, entry("images", width=0))),
    ("image with an endless width", replaced(TRAIN, '"width": 48', '"width": 1e999')),
    ("image of 30,000 x 30,000", edited(TRAIN, entry("images", width=30_000, height=30_000))),
    ("image id twice", edited(TRAIN, lambda v: v["images"].append(v["images"][0]))),
    ("image file in both parts", every(moved(IMAGE, "train2017/000000000012.jpg"), edited(TRAIN, entry("images", file_name="000000000012.jpg")))),
    ("image not there", gone(IMAGE)),
    ("image truncated", cut(IMAGE, 0.5)),
    ("image of another size", pixels(IMAGE, np.zeros((9, 9, 3), np.uint8), "JPEG")),
    ("category without a name", edited(TRAIN, entry("categories", name=None))),
    ("category id twice", edited(TRAIN, lambda v: v["categories"].append(v["categories"][0]))),
    ("category name twice", every(*(edited(part, entry("categories", name="dog")) for part in (TRAIN, VAL)))),
    ("categories that differ", edited(VAL, entry("categories", name="unicorn"))),
    ("category unknown", edited(TRAIN, entry("annotations", category_id=12))),
    ("image of an annotation unknown", edited(TRAIN, entry("annotations", image_id=99))),
    ("annotation without an outline", edited(TRAIN, entry("annotations", segmentation=None))),
    ("annotation without an area", edited(TRAIN, entry("annotations", area=None))),
    ("annotation without iscrowd", edited(TRAIN, entry("annotations", iscrowd=None))),
    ("annotation that is a number", edited(TRAIN, lambda v: v["annotations"].append(7))),
    ("area that is none", edited(TRAIN, entry("annotations", area=float("nan")))),
    ("outline that is text", edited(TRAIN, entry("annotations", segmentation="abc"))),
    ("polygon with half a corner", edited(TRAIN, entry("annotations", segmentation=[[1, 1, 9, 1, 9, 9, 1]]))),
    ("polygon with words", edited(TRAIN, entry("annotations", segmentation=[["1", 1, 9, 1, 9, 9]]))),
    ("polygon far outside", edited(TRAIN, entry("annotations", segmentation=FAR))),
    ("polygon without end", edited(TRAIN, entry("annotations", segmentation=[[1, 1, 9, 1, float("inf"), 9]]))),
    ("run lengths of another size", edited(TRAIN, entry("annotations", segmentation={"size": [3, 3], "counts": [9]}))),
    ("run lengths that do not fill the image", edited(TRAIN, entry("annotations", segmentation={"size": [41, 48], "counts": [9]}))),
    ("run lengths below 0", edited(TRAIN, entry("annotations", segmentation={"size": [41, 48], "counts": [-1, 1969]}))),
    ("run lengths packed and cut", edited(TRAIN, entry("annotations", segmentation={"size": [41, 48], "counts": "PPYo"}))),
    ("run lengths packed wrong", edited(TRAIN, entry("annotations", segmentation={"size": [41, 48], "counts": "é"}))),
    ("several mistakes", every(
        gone(IMAGE), cut("val2017/000000000012.jpg", 0.5), edited(TRAIN, entry("annotations", category_id=12)),
        edited(VAL, entry("annotations", area=None)), edited(VAL, entry("images", file_name="../a.jpg")))),
)  # fmt: skip

COCO_READ = (
    ("polygon without area", edited(TRAIN, entry("annotations", segmentation=[[5, 5, 5, 5, 5, 5]], area=0))),
    ("polygon of two corners", edited(TRAIN, entry("annotations", segmentation=[[5, 5, 9, 9]]))),
    ("polygon just outside", edited(TRAIN, entry("annotations", segmentation=[[-1, -1, 49.5, 0, 9, 42]]))),
    ("image in grey", picture(IMAGE, "L")),
    ("no annotation at all in an image", edited(TRAIN, lambda v: v["annotations"].pop(0))),
    ("keys COCO does not have", edited(TRAIN, lambda v: v.update(more={"a": [1, {"b": None}]}))),
)  # fmt: skip

# --- params.yaml, and files in its place ---------------------------------------------------------

PARAMS = (
    ("not there", gone("params.yaml")),
    ("a folder", every(gone("params.yaml"), lambda root: (root / "params.yaml").mkdir())),
    ("of no bytes", content("params.yaml", "")),
    ("a list", content("params.yaml", "- a\n- b\n")),
    ("in Latin-1", content("params.yaml", b"data_root: K\xe4fer\n")),
    ("with a tab", content("params.yaml", "train:\n\tepochs: 3\n")),
    ("with a key twice", added("params.yaml", "seed: 1")),
    ("with a bracket that does not close", added("params.yaml", "more: [1, 2")),
    ("nested too deep", content("params.yaml", "[" * 500)),
    ("with a date that is none", added("params.yaml", "day: 2001-99-99")),
    ("with a number of 5,000 digits", replaced("params.yaml", "neck_n: 0", f"neck_n: {'9' * 5000}")),
    ("with a key that is a number", added("params.yaml", "7: 7")),
    ("with aliases of aliases", added("params.yaml", "\n".join(
        ["a0: &a0 [1, 1]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9))]))),
    ("with a list inside itself", replaced("params.yaml", "ensembles: []", "ensembles: &x [*x]")),
    ("with Python in it", added("params.yaml", "run: !!python/object/apply:os.system [ls]")),
    ("with a path of nothing", replaced("params.yaml", "data_root: data/raw", "data_root: ' '")),
    ("with a path that holds a NUL", replaced("params.yaml", "data_root: data/raw", 'data_root: "a\\0b"')),
    ("with a home of nobody", replaced("params.yaml", "data_root: data/raw", "data_root: ~nobody-here/x")),
    ("with a rate without end", replaced("params.yaml", "learning_rate: 2.0e-3", "learning_rate: .inf")),
    ("with a rate that is no number", replaced("params.yaml", "learning_rate: 2.0e-3", "learning_rate: .nan")),
    ("with a comma in a number", replaced("params.yaml", "learning_rate: 2.0e-3", "learning_rate: 0,002")),
    ("with yes for a number", replaced("params.yaml", "neck_n: 0", "neck_n: true")),
    ("with two mistakes", every(replaced("params.yaml", "neck_n: 0", "neck_n: 9"), added("params.yaml", "nekc_n: 1"))),
)  # fmt: skip

Row = tuple[str, Spoil]
REFUSED: dict[str, tuple[Row, ...]] = {
    "folder": FOLDER,
    "colours": COLOURS,
    "own coco": OWN_COCO,
    "labelme": LABELME,
    "cvat": CVAT,
    "voc": VOC,
    "coco": COCO,
    "params": PARAMS,
}
TAKEN: dict[str, tuple[Row, ...]] = {
    "folder": READ,
    "colours": COLOURS_READ,
    "own coco": OWN_COCO_READ,
    "labelme": LABELME_READ,
    "cvat": CVAT_READ,
    "coco": COCO_READ,
}
