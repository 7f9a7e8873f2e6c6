"""Every dataset reader on a small archive with the true layout and names, and on one that is broken."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
import pytest
from scipy.io import loadmat, savemat

from hdrq.errors import FileError, MissingPart, UsageError
from hdrq.evaluation.archive import Folder, locate, state
from hdrq.evaluation.tables import read_csv, read_xlsx, recognised_columns
from hdrq.registry import find, names


def touch(root: Path, *paths: str) -> None:
    """Empty files: listing must never read pixels."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def workbook(path: Path, sheets: dict[str, list[list[object]]]) -> None:
    """A minimal .xlsx with shared texts, as Excel writes them."""
    texts: list[str] = []

    def cell(value: object, row: int, column: int) -> str:
        at = f"{chr(65 + column)}{row}"
        if isinstance(value, str):
            texts.append(value)
            return f'<c r="{at}" t="s"><v>{len(texts) - 1}</v></c>'
        return f'<c r="{at}"><v>{value}</v></c>' if value is not None else ""

    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    rel = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    parts = {}
    for i, rows in enumerate(sheets.values(), 1):
        body = "".join(
            f'<row r="{r}">{"".join(cell(v, r, c) for c, v in enumerate(row))}</row>'
            for r, row in enumerate(rows, 1)
        )
        parts[f"xl/worksheets/sheet{i}.xml"] = f"<worksheet {main}><sheetData>{body}</sheetData></worksheet>"
    listed = "".join(
        f'<sheet name="{escape(n)}" sheetId="{i}" r:id="rId{i}"/>' for i, n in enumerate(sheets, 1)
    )
    parts["xl/workbook.xml"] = f'<workbook {main} xmlns:r="{rel}"><sheets>{listed}</sheets></workbook>'
    links = "".join(
        f'<Relationship Id="rId{i}" Target="worksheets/sheet{i}.xml"/>' for i in range(1, len(sheets) + 1)
    )
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts["xl/_rels/workbook.xml.rels"] = f'<Relationships xmlns="{package}">{links}</Relationships>'
    parts["xl/sharedStrings.xml"] = (
        f"<sst {main}>{''.join(f'<si><t>{escape(t)}</t></si>' for t in texts)}</sst>"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as book:
        for name, text in parts.items():
            book.writestr(name, text)


def kadid(root: Path) -> None:
    lines = ["dist_img,ref_img,dmos,var"]
    for i in (1, 2):
        touch(root, f"images/I{i:02d}.png")
        for d in (1, 10):
            for level in (1, 5):
                name = f"I{i:02d}_{d:02d}_{level:02d}.png"
                touch(root, f"images/{name}")
                lines.append(f"{name},I{i:02d}.png,{4.57 - level / 2},0.49")
    (root / "dmos.csv").write_text("\n".join(lines) + "\n")


def tampere(root: Path) -> None:
    rows = []
    for i in (1, 25):
        touch(root, f"reference_images/I{i:02d}.BMP")
        for d in (1, 17):
            touch(root, f"distorted_images/i{i:02d}_{d:02d}_1.bmp")
            rows.append((f"I{i:02d}_{d:02d}_1.bmp", 5.51429 - d / 10))
    (root / "mos_with_names.txt").write_text("".join(f"{mos} {name}\n" for name, mos in rows))
    (root / "mos_std.txt").write_text("0.13013\n" * len(rows))


def live(root: Path) -> None:
    counts = {"jp2k": 227, "jpeg": 233, "wn": 174, "gblur": 174, "fastfading": 174}
    refs = [f"{name}.bmp" for name in ("bikes", "buildings", "monarch")]
    touch(root, *(f"refimgs/{r}" for r in refs))
    for kind, count in counts.items():
        touch(root, *(f"{kind}/img{i}.bmp" for i in range(1, count + 1)))
    originals = np.zeros((1, 982))
    originals[0, :203] = 1
    dmos = np.linspace(0, 100, 982)[None]
    savemat(
        root / "dmos_realigned.mat", {"dmos_new": dmos, "dmos_std": np.full((1, 982), 7.0), "orgs": originals}
    )
    cells = np.empty((1, 982), dtype=object)
    cells[0, :] = [refs[i % 3] for i in range(982)]
    savemat(root / "refnames_all.mat", {"refnames_all": cells})


def csiq(root: Path) -> None:
    rows: list[list[object]] = [[None] * 9 for _ in range(3)]
    rows.append([None, None, None, "image", "dst_idx", "dst_type", "dst_lev", "dmos_std", "dmos"])
    kinds = {"noise": "awgn/{}.AWGN.{}.png", "blur": "blur/{}.BLUR.{}.png", "contrast": "contrast/{}.contrast.{}.png",
             "fnoise": "fnoise/{}.fnoise.{}.png", "jpeg": "jpeg/{}.JPEG.{}.png",
             "jpeg 2000": "jpeg2000/{}.jpeg2000.{}.png"}  # fmt: skip
    for image in (1600, "woman"):
        touch(root, f"src_imgs/{image}.png")
        for k, (kind, name) in enumerate(kinds.items(), 1):
            touch(root, f"dst_imgs/{name.format(image, 1)}")
            rows.append([None, None, None, image, k, kind, 1, 0.02, 0.06 * k])
    workbook(root / "csiq.DMOS.xlsx", {"all_by_distortion": [["x"]], "all_by_image": rows})


def pipal(root: Path) -> None:
    touch(
        root,
        "Train_Ref/A0001.bmp",
        "Train_Dist/A0001_00_00.bmp",
        "Train_Dist_2/A0001_04_07.bmp",
        "Val_Ref/A0201.bmp",
    )
    touch(root, "Val_Dist/A0201_00_00.bmp")
    (root / "Train_Label").mkdir()
    (root / "Train_Label/A0001.txt").write_text("A0001_00_00.bmp,1500.0\nA0001_04_07.bmp,1321.5\n")


def pieapp(root: Path) -> None:
    for part, ref in (("train", "ref_1"), ("test", "ref_161")):
        images = [f"distort_{ref[4:]}_blur_inter_{i}.png" for i in range(3)]
        touch(
            root,
            f"reference_images/{part}/{ref}.png",
            *(f"distorted_images/{part}/{ref}/{n}" for n in images),
        )
        (root / f"{part}_reference_list.txt").write_text(f"{ref}.png\n")
        (root / "labels" / part).mkdir(parents=True)
        rows = [f"{ref}.png,{images[0]},{images[1]},,0.25", f"{ref}.png,{ref}.png,{images[2]},0.9,0.95"]
        head = "ref. image,dist. image A,dist. image B,raw preference for A,processed preference for A"
        if part == "test":
            head, rows = head.rsplit(",", 1)[0], [r.rsplit(",", 1)[0].replace(",,", ",0.3,") for r in rows]
            rows[0] = f"{ref}.png,{images[0]},{images[1]},0.3"
            scores = [f"{ref}.png,{n},{1.5 * i}" for i, n in enumerate(images)]
            text = "\n".join(["ref. image,dist. image,score", *scores]) + "\n"
            (root / f"labels/test/{ref}_per_image_score.csv").write_text(text)
        (root / f"labels/{part}/{ref}_pairwise_labels.csv").write_text("\n".join([head, *rows]) + "\n")


def kadis(root: Path) -> None:
    touch(root, "ref_imgs/a-fleshy-plant-1464418.png", "ref_imgs/not-made.png")
    touch(root, *(f"dist_imgs/a-fleshy-plant-1464418_07_{i:02d}.bmp" for i in range(1, 6)))
    text = "ref_im,dist_type_1,dist_type_2\na-fleshy-plant-1464418.png,7,8\nnot-made.png,15,3\n"
    (root / "kadis700k_ref_imgs.csv").write_text(text)


def sihdr(root: Path) -> None:
    touch(root, *(f"reference/{i:03d}.exr" for i in range(1, 4)))


def upiq(root: Path) -> None:
    head = ("condition_id,dataset,content_id,dist_id,dist_level,is_hdr,test_file,reference_file,pix_per_deg,"
            "distortion_name,repeating_content_id,JOD")  # fmt: skip
    rows = [
        "1,tid2013,t-i05,1,1,0,tid2013/i05_01_1.png,tid2013/i05.png,37.1,awgn,l-01,-1.5",
        "2,live,l-i01,2,1,0,live/wn/img1.png,live/i01.png,37.1,wn,t-05,-2.5",
        "3,live,l-i02,2,1,0,live/wn/img2.png,live/i02.png,37.1,wn,-,0.5",
        "4,narwaria,n-i03,3,2,1,narwaria/a_3.exr,narwaria/a.exr,57.2,jpeg,-,-0.2",
        "5,korshunov,k-01,4,3,1,korshunov/b_1.png,korshunov/b.png,60,jpeg-xt,-,0.9",
    ]
    (root / "upiq_subjective_scores.csv").write_text("\n".join([head, *rows]) + "\n")
    for row in rows:
        fields = row.split(",")
        for name in fields[6:8]:
            name = name.replace(".png", ".exr") if fields[1] in ("narwaria", "korshunov") else name
            touch(root, f"images/{name}")


def hdr_table(root: Path, name: str) -> None:
    touch(root, "hdr/AirBellows.exr", "coded/AirBellows_profileA_1.exr", "coded/AirBellows_profileC_2.exr")
    rows = [["image", "reference", "mos", "std"], ["AirBellows_profileA_1.exr", "AirBellows.exr", 4.25, 0.5]]
    rows.append(["AirBellows_profileC_2.exr", "AirBellows.exr", 2.5, 0.8])
    workbook(root / f"{name}.xlsx", {"scores": rows})


def koniq(root: Path) -> None:
    touch(root, "1024x768/10004473376.jpg", "1024x768/10007357496.jpg")
    head = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,MOS_zscore,set"
    rows = ["10004473376.jpg,0,0,25,73,7,105,3.828571,0.527278,72.5,training"]
    rows.append("10007357496.jpg,0,3,45,47,1,96,3.479167,0.562,58.1,test")
    (root / "koniq10k_distributions_sets.csv").write_text("\n".join([head, *rows]) + "\n")


def spaq(root: Path) -> None:
    touch(root, "TestImage/00001.jpg", "TestImage/00002.jpg")
    head: list[object] = [
        "Image name",
        "MOS",
        "Brightness",
        "Colorfulness",
        "Contrast",
        "Noisiness",
        "Sharpness",
    ]
    rows = [head, ["00001.jpg", 41.67, 50, 51, 52, 53, 54], ["00002.jpg", 80.5, 60, 61, 62, 63, 64]]
    workbook(root / "Annotations/MOS and Image attribute scores.xlsx", {"Sheet1": rows})


def flive(root: Path) -> None:
    touch(root, "database/voc_emotic_ava/JPEGImages__1.jpg", "database/EE371R/cj_0.jpg")
    (root / "labels_image.csv").write_text(
        "name,mos,is_valid\nvoc_emotic_ava/JPEGImages__1.jpg,70.1,1\nEE371R/cj_0.jpg,55.5,0\n"
    )


def livec(root: Path) -> None:
    training = [f"t{i}.bmp" for i in range(1, 8)]
    images = ["3.bmp", "533.JPG", "534.JPG"]
    touch(root, *(f"Images/trainingImages/{n}" for n in training), *(f"Images/{n}" for n in images))
    cells = np.empty((10, 1), dtype=object)
    cells[:, 0] = [*training, *images]
    (root / "Data").mkdir()
    savemat(root / "Data/AllImages_release.mat", {"AllImages_release": cells})
    savemat(root / "Data/AllMOS_release.mat", {"AllMOS_release": np.linspace(10, 90, 10)[None]})
    savemat(root / "Data/AllStdDev_release.mat", {"AllStdDev_release": np.full((1, 10), 20.0)})


def cid2013(root: Path) -> None:
    rows: list[list[object]] = [["Source_ID", "MOS", "Realigned MOS"]]
    for name, place in (("IS_I_C01_D01", "IS1/co1"), ("IS_VI_C08_D14", "IS6/co8")):
        touch(root, f"{place}/{name}.jpg")
        rows.append([name, 30.0, 33.4])
    workbook(root / "CID2013 data - version 12112014.xlsx", {"Notes": [["x"]], "CID2013 MOS": rows})


def tampere_nr(root: Path) -> None:
    touch(root, "images/a0001.jpg", "images/a0002.jpg")
    (root / "mos_with_names.txt").write_text("a0001.jpg 4.2\na0002.jpg 3.1\n")


def espl(root: Path) -> None:
    names_ = [
        "V_Sequoia_Remains_WardHistAdjTMO.PNG",
        "V_Sequoia_Remains_ReinhardTMO.PNG",
        "H_Lake_FattalTMO.PNG",
    ]
    touch(root, *(f"Images/{n}" for n in names_))
    (root / "ESPL_LIVE_HDR.txt").write_text(
        "".join(f"{n}    {50 + i}    10.5\n" for i, n in enumerate(names_))
    )


def manifest(root: Path) -> None:
    touch(root, "d/a.png", "r/a.png")
    (root / "manifest.csv").write_text(
        "dist,ref,mos,sd,type,level,lamp\nd/a.png,r/a.png,3.5,0.7,jpeg,2,warm\n"
    )


def biq2021(root: Path) -> None:
    for part, rows in (
        ("Train", ("ss01 (1).jpg,0.4779", "ss03 (7805).jpg,0.7321")),
        ("Test", ("ss02 (12).jpg,0.6337",)),
    ):
        touch(root, *(f"Images/{row.split(',')[0]}" for row in rows))
        (root / f"{part} (Images and MOS).csv").write_text("\n".join(["Image Name,MOS", *rows]) + "\n")


def waterloo_mef(root: Path) -> None:
    """Names as the archive has them: the fused images' scenes are shorter than the folders' and in part misspelt."""
    touch(
        root,
        *(f"source image sequences/{f}/a.png" for f in ("Cadik Lamp_Martin Cadik", "Lamp_hdr-projects.com")),
    )
    touch(
        root,
        *(
            f"source image sequences/{f}/A.png"
            for f in ("Chinese_garden_Bartlomiej Okonek", "House_Tom Mertens09")
        ),
    )
    fused = ["Cadik_Gu12.png", "ChineseGarden_Shutao Li12.png", "House_gsaverage.png", "Lamp_Mertens07.png"]
    touch(root, *(f"fused images/{name}" for name in fused))
    cells = np.empty((2, 2), dtype=object)
    for place, name in zip(((0, 0), (0, 1), (1, 0), (1, 1)), fused):
        cells[place] = name
    savemat(root / "imgName.mat", {"imgName": cells})
    savemat(root / "MOS.mat", {"MOS": np.array([[5.5, 7.0], [4.0, 8.25]])})


BUILD: dict[str, Callable[[Path], None]] = {
    "kadid": kadid, "tid2013": tampere, "tid2008": tampere, "live": live, "csiq": csiq, "pipal": pipal,
    "pieapp": pieapp, "kadis": kadis, "sihdr": sihdr, "upiq": upiq, "narwaria": lambda r: hdr_table(r, "narwaria"),
    "korshunov": lambda r: hdr_table(r, "korshunov"), "koniq": koniq, "spaq": spaq, "flive": flive, "livec": livec,
    "cid2013": cid2013, "nrtid": tampere_nr, "htid": tampere_nr, "espl-live-hdr": espl, "csv": manifest,
    "biq2021": biq2021, "waterloo-mef": waterloo_mef,
}  # fmt: skip
# How many pairs each small archive has, and a file whose loss must be named.
EXPECTED = {
    "kadid": (8, "images/I02_10_05.png"), "tid2013": (4, "reference_images/I25.BMP"),
    "tid2008": (4, "distorted_images/i01_17_1.bmp"), "live": (779, "gblur/img174.bmp"),
    "csiq": (12, "dst_imgs/jpeg2000/woman.jpeg2000.1.png"), "pipal": (2, "Train_Ref/A0001.bmp"),
    "pieapp": (3, "distorted_images/test/ref_161/distort_161_blur_inter_2.png"),
    "kadis": (5, "dist_imgs/a-fleshy-plant-1464418_07_03.bmp"), "sihdr": (3, "reference/001.exr"),
    "upiq": (5, "images/korshunov/b.exr"), "narwaria": (2, "coded/AirBellows_profileC_2.exr"),
    "korshunov": (2, "hdr/AirBellows.exr"), "koniq": (2, "1024x768/10007357496.jpg"), "spaq": (2, "TestImage/00002.jpg"),
    "flive": (2, "database/EE371R/cj_0.jpg"), "livec": (3, "Images/534.JPG"), "cid2013": (2, "IS6/co8/IS_VI_C08_D14.jpg"),
    "nrtid": (2, "images/a0002.jpg"), "htid": (2, "images/a0001.jpg"),
    "espl-live-hdr": (3, "Images/H_Lake_FattalTMO.PNG"), "csv": (1, "manifest.csv"),
    "biq2021": (3, "Images/ss03 (7805).jpg"), "waterloo-mef": (4, "fused images/House_gsaverage.png"),
}  # fmt: skip


def test_every_dataset_on_the_shelf_is_tried_here():
    """A new dataset needs a function that builds a small archive, in BUILD, and its pairs in EXPECTED."""
    assert set(BUILD) == set(names("dataset")) == set(EXPECTED)


@pytest.mark.parametrize("name", sorted(BUILD))
def test_an_archive_in_its_own_layout_is_listed(name, tmp_path):
    BUILD[name](tmp_path)
    dataset = find("dataset", name)
    pairs = list(dataset.pairs(tmp_path))
    assert len(pairs) == EXPECTED[name][0]
    assert all(Path(p.dist).is_file() and (p.ref is None or Path(p.ref).exists()) for p in pairs)
    assert all(p.scene for p in pairs)
    if dataset.better and dataset.span and name != "pieapp":
        low, high = dataset.span
        assert all(p.mos is not None and low <= p.mos <= high for p in pairs)


@pytest.mark.parametrize("name", sorted(BUILD))
def test_a_missing_file_is_refused_by_name(name, tmp_path):
    BUILD[name](tmp_path)
    lost = EXPECTED[name][1]
    (tmp_path / lost).unlink()
    if name == "sihdr":
        for other in (tmp_path / "reference").iterdir():
            other.unlink()
    with pytest.raises(FileError) as refused:
        list(find("dataset", name).pairs(tmp_path))
    assert Path(lost).name.lower() in str(refused.value).lower()
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", names("dataset"))
def test_a_card_states_what_a_user_must_know(name):
    card = find("dataset", name)
    assert all((card.title, card.home, card.licence, card.scale, card.layout, card.marks))
    assert card.better in ("higher", "lower", "")
    assert card.domain in ("srgb", "nits", "linear")
    assert not card.display or card.display in names("display")


@pytest.mark.parametrize(
    ("name", "table", "old", "new", "said"),
    [
        ("kadid", "dmos.csv", "dist_img,ref_img", "image,ref_img", "no column 'dist_img'"),
        ("kadid", "dmos.csv", "4.07", "good", "line 2, dmos: 'good' is not a number"),
        ("kadid", "dmos.csv", "I01_01_01.png,", "first.png,", "not named as I01_01_01.png"),
        ("tid2013", "mos_with_names.txt", " I01_01_1.bmp", "", "has fewer than 2 fields"),
        ("tid2013", "mos_std.txt", "0.13013\n0.13013", "0.13013", "3 deviations for the 4 subjective scores"),
        ("upiq", "upiq_subjective_scores.csv", ",JOD", ",quality", "no column 'JOD'"),
        ("upiq", "upiq_subjective_scores.csv", "-1.5", "nan", "is not a subjective score"),
        ("upiq", "upiq_subjective_scores.csv", "-2.5", "none", "line 3, JOD: 'none' is not a number"),
        ("flive", "labels_image.csv", "55.5", "none", "line 3, mos: 'none' is not a number"),
        ("biq2021", "Test (Images and MOS).csv", "0.6337", "none", "line 2, MOS: 'none' is not a number"),
        ("pieapp", "labels/test/ref_161_per_image_score.csv", "3.0", "none", "line 4, score: 'none' is not a number"),
        ("koniq", "koniq10k_distributions_sets.csv", "3.828571", "", "line 2, MOS is empty"),
        ("csv", "manifest.csv", "dist,ref", "what,ref", "name it dist"),
        ("pipal", "Train_Label/A0001.txt", "A0001_00_00.bmp", "A0001.bmp", "not named as A0001_00_00.bmp"),
    ],
)  # fmt: skip
def test_a_damaged_table_is_refused_by_line(name, table, old, new, said, tmp_path):
    BUILD[name](tmp_path)
    path = tmp_path / table
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(FileError) as refused:
        list(find("dataset", name).pairs(tmp_path))
    assert said in str(refused.value)
    assert table.split("/")[-1] in str(refused.value)


def test_what_a_folder_lacks_is_said_with_its_path(tmp_path):
    """Two folders of exposures are called after one scene; no file holds PIPAL's labels."""
    (tmp_path / "mef").mkdir()
    BUILD["waterloo-mef"](tmp_path / "mef")
    touch(tmp_path / "mef", "source image sequences/Lamp_another author/a.png")
    with pytest.raises(FileError) as refused:
        list(find("dataset", "waterloo-mef").pairs(tmp_path / "mef"))
    assert "2 folders below " + str(tmp_path / "mef" / "source image sequences") in str(refused.value)
    (tmp_path / "pipal").mkdir()
    BUILD["pipal"](tmp_path / "pipal")
    (tmp_path / "pipal" / "Train_Label" / "A0001.txt").unlink()
    with pytest.raises(FileError) as refused:
        list(find("dataset", "pipal").pairs(tmp_path / "pipal"))
    assert f"no .txt in {tmp_path / 'pipal' / 'Train_Label'}; expected" in str(refused.value)


def test_lines_of_a_table_of_ones_own_are_counted_with_its_header(tmp_path):
    table = tmp_path / "manifest.csv"
    table.write_text("dist,mos\na.png,1.5\nb.png,2.5\na.png,3\n")
    with pytest.raises(
        FileError, match=r"line 4 gives a\.png another mos \(3\) than an earlier row \(1\.5\)"
    ):
        list(find("dataset", "csv").pairs(tmp_path))
    table.write_text("dist,mos\na.png,1.5\nb.png,bad\n")
    with pytest.raises(FileError, match="line 3, mos: 'bad' is not a number"):
        list(find("dataset", "csv").pairs(tmp_path))


def test_a_row_of_a_manifest_that_is_written_twice_is_one_image(tmp_path):
    table = tmp_path / "manifest.csv"
    table.write_text(
        "dist,mos,distortion\na.png,1,blur\nb.png,2,blur\na.png,1,blur\na.png,1,noise\nc.png,,\nc.png,,\n"
    )
    found = [(p.dist.name, p.mos, p.distortion) for p in find("dataset", "csv").pairs(tmp_path)]
    assert found == [
        ("a.png", 1, "blur"),
        ("b.png", 2, "blur"),
        ("a.png", 1, "noise"),
        *[("c.png", None, "")] * 2,
    ]


def test_a_damaged_workbook_and_a_damaged_mat_are_refused(tmp_path):
    spaq(tmp_path)
    (tmp_path / "Annotations/MOS and Image attribute scores.xlsx").write_bytes(b"PK not a zip")
    with pytest.raises(FileError, match="not an Excel workbook"):
        list(find("dataset", "spaq").pairs(tmp_path))
    livec(tmp_path)
    (tmp_path / "Data/AllMOS_release.mat").write_bytes(b"MATLAB 5.0 no")
    with pytest.raises(FileError, match=r"AllMOS_release\.mat: not a MATLAB file"):
        list(find("dataset", "livec").pairs(tmp_path))


def test_rows_of_live_that_are_references_are_left_out(tmp_path):
    live(tmp_path)
    pairs = list(find("dataset", "live").pairs(tmp_path))
    assert Path(pairs[0].dist).name == "img204.bmp"
    kinds = {p.distortion: sum(q.distortion == p.distortion for q in pairs) for p in pairs}
    assert kinds == {
        "jpeg2000": 24,
        "jpeg": 233,
        "white-noise": 174,
        "gaussian-blur": 174,
        "fast-fading": 174,
    }
    assert len(list(find("dataset", "live").pairs(tmp_path, "wn"))) == 174


def test_upiq_merges_the_scenes_that_live_shares_with_tid(tmp_path):
    upiq(tmp_path)
    pairs = list(find("dataset", "upiq").pairs(tmp_path))
    assert [p.scene for p in pairs] == ["t-i05", "t-i05", "l-i02", "n-i03", "k-01"]
    assert [Path(p.dist).suffix for p in find("dataset", "upiq").pairs(tmp_path, "hdr")] == [".exr", ".exr"]
    assert {p.carried["ppd"] for p in pairs} == {"37.1", "57.2", "60"}
    with pytest.raises(FileError, match=r"i05_01_1\.exr"):
        list(find("dataset", "upiq").pairs(tmp_path, "sdr-luminance"))


def test_livec_leaves_its_practice_images_out_and_reads_the_shared_form_too(tmp_path):
    livec(tmp_path)
    dataset = find("dataset", "livec")
    assert [Path(p.dist).name for p in dataset.pairs(tmp_path)] == ["3.bmp", "533.JPG", "534.JPG"]
    assert len(list(dataset.pairs(tmp_path, "training"))) == 7
    other = tmp_path / "other"
    touch(other, "Images/533.JPG")
    (other / "scores.csv").write_text("image,mos,std\n533.JPG,73.62353,20.40158\n")
    (pair,) = dataset.pairs(other)
    assert (pair.mos, pair.spread) == (73.62353, 20.40158)


def test_pieapp_lists_who_was_preferred(tmp_path):
    pieapp(tmp_path)
    dataset = find("dataset", "pieapp")
    compared = list(dataset.compared(tmp_path, "train"))
    assert [c.preferred for c in compared] == [0.25, 0.95]  # column 5, all pairs
    assert compared[1].a.name == "ref_1.png"
    assert [c.preferred for c in dataset.compared(tmp_path, "test")] == [0.3, 0.9]
    with pytest.raises(UsageError, match="no pairwise preferences"):
        find("dataset", "kadid").compared(tmp_path)


def test_kadid_carries_deviations_and_tid_ignores_letter_case(tmp_path):
    kadid(tmp_path)
    pair = next(find("dataset", "kadid").pairs(tmp_path))
    assert pair.spread == pytest.approx(0.7)
    assert (pair.distortion, pair.level, pair.scene) == ("gaussian-blur", 1.0, "I01")
    other = tmp_path / "tid"
    other.mkdir()
    tampere(other)
    pair = next(find("dataset", "tid2013").pairs(other))
    assert Path(pair.ref).name == "I01.BMP"
    assert Path(pair.dist).name == "i01_01_1.bmp"


def test_an_unknown_subset_names_those_there_are():
    with pytest.raises(UsageError, match="no subset 'night'; its subsets: sdr, hdr"):
        find("dataset", "upiq").pairs("nowhere", "night")


def test_an_archive_is_found_by_option_variable_and_folder(tmp_path, monkeypatch):
    dataset = find("dataset", "kadid")
    home = tmp_path / "data" / "kadid10k"
    home.mkdir(parents=True)
    kadid(home)
    assert locate(dataset, tmp_path / "data") == home
    assert locate(dataset, home) == home
    monkeypatch.setenv("HDRQ_DATA", os.pathsep.join(["nowhere", str(tmp_path / "data")]))
    assert locate(dataset) == home
    monkeypatch.delenv("HDRQ_DATA")
    monkeypatch.chdir(tmp_path / "data")
    assert locate(dataset).resolve() == home.resolve()


def test_an_absent_archive_says_in_one_line_what_it_is_and_where_to_get_it(tmp_path):
    with pytest.raises(MissingPart) as refused:
        locate(find("dataset", "kadid"), tmp_path)
    text = str(refused.value)
    assert "\n" not in text
    for part in ("10,125 images", "licence", "https://database.mmsp-kn.de", "dmos.csv", "--data"):
        assert part in text


def test_a_state_tells_present_from_broken_from_absent(tmp_path):
    dataset = find("dataset", "kadid")
    assert state(dataset, tmp_path) == ("absent", "")
    home = tmp_path / "kadid10k"
    home.mkdir()
    assert state(dataset, tmp_path)[0] == "incomplete"  # the right name, nothing in it
    assert "dmos.csv" in state(dataset, tmp_path)[1]
    kadid(home)
    assert state(dataset, tmp_path) == ("complete", str(home))
    (home / "images/I01.png").unlink()
    assert "I01.png" in state(dataset, tmp_path)[1]


def test_a_folder_is_asked_without_regard_to_case(tmp_path):
    touch(tmp_path, "Images/A.PNG")
    folder = Folder(tmp_path, "x")
    assert folder.find("images/a.png") == tmp_path / "Images/A.PNG"
    assert folder.find("images/b.png", "IMAGES/a.Png") == tmp_path / "Images/A.PNG"
    assert folder.find("images/b.png") is None


def test_columns_are_known_by_their_usual_names():
    assert recognised_columns(["img_distorted", "img_source", "dmos", "codec"])["mos"] == "dmos"
    rows = [{"distortion": "0.12", "codec": "1"}]
    found = recognised_columns(["img_distorted", "distortion", "codec"], rows)  # JPEG AIC's JND column
    assert (found["mos"], found["distortion"]) == ("distortion", "codec")
    assert recognised_columns(["dist", "distortion"], [{"distortion": "jpeg"}])["distortion"] == "distortion"


def test_tables_of_other_makes_are_read(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("\ufeffname;mos\na.png;1\n", encoding="utf-8")
    assert read_csv(path) == [{"name": "a.png", "mos": "1"}]
    path.write_text('split: scene\nseed: 0\n\nscene,test\nb,"x,y.mp4"\n')
    assert read_csv(path) == [{"scene": "b", "test": "x,y.mp4"}]
    path.write_text("")
    with pytest.raises(FileError, match="empty"):
        read_csv(path)


def test_a_workbook_names_the_sheet_or_column_it_lacks(tmp_path):
    workbook(tmp_path / "w.xlsx", {"one": [["a", "b"], [1, "text"]]})
    assert read_xlsx(tmp_path / "w.xlsx", None, ("A",)) == [{"a": "1", "b": "text"}]
    with pytest.raises(FileError, match="no sheet 'two'; it has one"):
        read_xlsx(tmp_path / "w.xlsx", "two")
    with pytest.raises(FileError, match="no row has the column names c"):
        read_xlsx(tmp_path / "w.xlsx", "one", ("c",))


@pytest.mark.shared
def test_the_shared_part_of_livec_is_complete(shared):
    pairs = list(find("dataset", "livec").pairs(shared / "data/livec"))
    assert len(pairs) == 330
    assert all(0 <= p.mos <= 100 and p.spread > 0 for p in pairs)


def test_waterloo_mef_pairs_scores_with_the_images_they_are_of(tmp_path: Path) -> None:
    waterloo_mef(tmp_path)
    pairs = list(find("dataset", "waterloo-mef").pairs(tmp_path))
    assert [(p.scene, p.distortion, p.mos, Path(str(p.ref)).name) for p in pairs] == [
        ("Cadik", "Gu12", 5.5, "Cadik Lamp_Martin Cadik"),
        ("ChineseGarden", "ShutaoLi12", 7.0, "Chinese_garden_Bartlomiej Okonek"),
        ("House", "gsaverage", 4.0, "House_Tom Mertens09"),
        ("Lamp", "Mertens07", 8.25, "Lamp_hdr-projects.com"),
    ]


@pytest.mark.parametrize("column", ["dmos_new", "dmos_std"])
def test_a_row_of_live_without_a_score_is_named(tmp_path, column: str) -> None:
    live(tmp_path)
    held = {key: value for key, value in loadmat(tmp_path / "dmos_realigned.mat").items() if key[0] != "_"}
    held[column][0, 300] = np.nan
    savemat(tmp_path / "dmos_realigned.mat", held)
    with pytest.raises(FileError, match="row 301"):
        list(find("dataset", "live").pairs(tmp_path))
