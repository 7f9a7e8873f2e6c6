"""The report: whole without a network, and drawn by a real browser at any width, light and dark."""

from __future__ import annotations

import re
import shutil
import subprocess
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

import hdrq
from hdrq.encoding.thumbnails import thumbnails
from hdrq.evaluation.evaluate import Plan, by_distortion, evaluate
from hdrq.evaluation.ratings import Ratings, ratings
from hdrq.evaluation.report import figures, tables
from hdrq.evaluation.report.page import ReportContents, largest_errors, page
from hdrq.evaluation.report.tables import not_significantly_worse
from hdrq.evaluation.significance import paired_tests, resolving
from hdrq.records import Image, Pair

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
browser = pytest.mark.skipif(CHROMIUM is None, reason="needs a browser: apt-get install chromium")
PLAN = Plan(draws=60)
VOID = {"meta", "img", "link", "br", "hr", "input"}


class Balance(HTMLParser):
    """Checks that what is opened is closed, and collects what would be fetched."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        self.fetched += [str(told[k]) for k in ("src", "href", "xlink:href", "data", "srcset") if told.get(k)]
        self.ids += [str(told["id"])] if told.get("id") else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Ratings:
    """HDR images of four scenes, two metrics, two distortions; the names ask for escaping."""
    root = tmp_path_factory.mktemp("judged")
    g, rng = torch.Generator().manual_seed(0), np.random.default_rng(0)
    pairs, scores = (
        [],
        {"m<1>,with=options,that-are=longer-than-a-phone-is-wide-by-far": {}, "second & last": {}},
    )
    for s in range(4):
        light = 0.1 + 900 * torch.rand(1, 3, 24, 32, generator=g) ** 4
        ref = root / f"ref{s}.exr"
        hdrq.write(ref, Image(light, "nits"))
        for i in range(12):
            dist = root / f"d{s}_{i}.exr"
            hdrq.write(dist, Image(light * (1 + 0.1 * i), "nits"))
            mos = 10.0 - i + rng.normal()
            pairs.append(Pair(dist, ref, f"scene {s}", mos, 0.5, ("jpeg", "<noise>")[i % 2], float(i % 3)))
            for k, name in enumerate(scores):
                scores[name][str(dist)] = float(mos + (0.4 + k) * rng.normal())
    found = ratings(pairs, scores, dict.fromkeys(scores, "higher"), name="judged", mos_better="higher")
    return Ratings(found.name, found.pairs, found.metrics, found.values, found.better, "higher",
                 np.full(48, 0.5), "standard error", ("a note",))  # fmt: skip


@pytest.fixture(scope="module")
def html(judged: Ratings) -> str:
    whole = list(evaluate(judged, plan=PLAN))
    return page(
        ReportContents(
            judged,
            "A <judged> set",
            whole,
            protocol=list(evaluate(judged, "leave-one-out", PLAN)),
            breakdowns=[("distortion", list(by_distortion(judged, PLAN)))],
            paired_tests=paired_tests(judged, PLAN),
            resolving=resolving(judged, PLAN),
            command="hdrq evaluate --dataset 'a & b'",
        )
    )


def test_the_page_is_whole_html_that_fetches_nothing(html):
    reader = Balance()
    reader.feed(html)
    assert reader.open == []
    assert all(target.startswith(("data:image/", "#")) for target in reader.fetched)
    assert len(reader.ids) == len(set(reader.ids))
    assert "<script" not in html
    assert not re.search(r"url\((?!['\"]?#)", html)
    assert not re.search(r"https?://(?!www\.w3\.org)", html)


def test_the_page_tells_what_was_found(html):
    for told in ("A &lt;judged&gt; set", "m&lt;1&gt;", "second &amp; last", "&lt;noise&gt;", "a note"):
        assert told in html
    for title in ("Agreement with subjective scores", "Subjective scores against metric values", "Significance",
                  "Resolving power", "By distortion", "By protocol", "Residuals", "Largest prediction errors"):  # fmt: skip
        assert f"<h2>{title}</h2>" in html
    assert "hdrq evaluate --dataset &#x27;a &amp; b&#x27;" in html
    assert f"hdrq {hdrq.__version__}" in html
    assert html.count("data:image/jpeg") == 16  # four disagreements of two metrics, reference and test
    assert "#0102" not in html  # every colour is the page's


def test_figures_take_the_page_in_svg_and_paper_in_files(judged, tmp_path):
    row = next(iter(evaluate(judged, plan=PLAN)))
    assert "var(--point)" in figures.as_svg(figures.scatter(judged, row), "a")
    written = figures.save(
        {"scatter m<1>": figures.scatter(judged, row), "left": figures.residuals(judged, row)}, tmp_path
    )
    assert sorted(p.name for p in written) == ["left.pdf", "left.png", "scatter-m-1.pdf", "scatter-m-1.png"]
    pixels = hdrq.read(tmp_path / "scatter-m-1.png").pixels[0, :3]
    blue = (pixels[2] > pixels[0] + 0.1).float().mean()
    assert blue > 0.001  # dots in the paper's blue, not in the colour that stands for them


def test_a_figure_is_the_same_each_time(judged):
    row = next(iter(evaluate(judged, plan=PLAN)))
    assert figures.as_svg(figures.scatter(judged, row), "a") == figures.as_svg(
        figures.scatter(judged, row), "a"
    )


def test_a_figure_stays_well_formed_where_text_has_no_style_but_its_font():
    from matplotlib.figure import Figure

    figure = Figure()
    figure.text(0.5, 0.5, "a < b; c", rotation=30)
    svg = figures.as_svg(figure, "a")
    assert ElementTree.fromstring(svg).findtext(".//{*}text") == "a < b; c"
    assert "sans-serif" in svg
    assert "'" not in svg  # no list of fonts: the reader's own


def test_thumbnails_show_the_bright_and_the_dark_of_hdr(judged):
    found = thumbnails(judged.pairs[0])
    assert set(found) == {"ref", "dist"}
    import base64
    import io

    from PIL import Image as Picture

    shown = np.asarray(Picture.open(io.BytesIO(base64.b64decode(found["ref"].split(",")[1]))))
    assert shown.std() > 25
    assert 40 < shown.mean() < 215
    assert thumbnails(Pair("nowhere.exr")) == {}


def test_the_worst_disagreements_are_of_different_scenes(judged):
    row = next(iter(evaluate(judged, plan=PLAN)))
    places = [i for i, _ in largest_errors(judged, row, 4)]
    assert len({judged.scenes[i] for i in places}) == 4
    gap = np.abs(row.curve(judged.values[judged.metrics.index(row.metric)]) - judged.mos)
    assert places[0] == int(gap.argmax())


def test_the_best_are_those_that_the_first_does_not_beat(judged):
    rows, told = list(evaluate(judged, plan=PLAN)), paired_tests(judged, PLAN)
    marked = not_significantly_worse(rows, told)
    assert rows[0].metric in marked
    assert (rows[1].metric in marked) == (told[0].p_holm >= 0.05)


def test_long_names_are_divided_and_columns_numbered(judged):
    name = "hdrvdp3,task=side-by-side,colour=rgb-bt.709,rgb_display=led-lcd-srgb"
    lines = figures.wrapped(f"predicted minus subjective score, {name}").split("\n")
    assert max(map(len, lines)) <= 46
    assert "".join(lines).replace(" ", "") == f"predicted minus subjective score, {name}".replace(" ", "")
    assert figures.wrapped("y" * 100).count("\n") == 2
    told = paired_tests(judged, PLAN)
    head = tables.matrix([name, "b"], told).split("</thead>")[0]
    assert f"<th scope='col' title='{name}'>1</th><th scope='col' title='b'>2</th>" in head


def test_without_a_bootstrap_nothing_is_called_alike(judged):
    plain = Plan(draws=0)
    whole, told = list(evaluate(judged, plan=plain)), paired_tests(judged, plain)
    assert not_significantly_worse(whole, told) == {whole[0].metric}
    text = page(ReportContents(judged, "x", whole, paired_tests=told), pictures=False)
    assert "Significance" not in text
    assert "not significantly different" not in text
    assert "not significantly different" in page(
        ReportContents(judged, "x", whole, paired_tests=paired_tests(judged, PLAN)), pictures=False
    )


def drawn(html: str, folder: Path, width: int, dark: bool = False) -> torch.Tensor:
    """The page's top as a real browser draws it, (3, H, W) in 0..1."""
    source, shot = folder / "page.html", folder / f"{width}{dark}.png"
    source.write_text(html, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
             "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
             "--run-all-compositor-stages-before-draw", "--virtual-time-budget=20000",  # until all images are drawn
             f"--user-data-dir={folder / f'profile{width}{dark}'}", f"--window-size={width},1400",
             f"--screenshot={shot}"]  # fmt: skip
    flags += ["--blink-settings=preferredColorScheme=0"] if dark else []
    subprocess.run([str(CHROMIUM), *flags, source.as_uri()], check=True, capture_output=True, timeout=120)
    return hdrq.read(shot).pixels[0, :3]


@browser
def test_a_browser_draws_the_page_at_a_desk_on_a_phone_and_in_the_dark(html, tmp_path):
    desk, phone, dark = (drawn(html, tmp_path, *how) for how in ((1200,), (500,), (1200, True)))
    assert desk[:, 2, 2].min() > 0.9
    assert dark[:, 2, 2].max() < 0.2
    for shot in (desk, phone):
        assert ((shot[2] - shot[0]) > 0.2).float().mean() > 0.0005  # the dots of the scatter plots
    assert (phone[:, :, -8:] - phone[:, 2:3, 2:3]).abs().max() < 0.05  # nothing juts out to the right
    ink = (dark.mean(0) > 0.7).float().mean()
    assert 0.002 < ink < 0.5  # text is light where the page is dark


@browser
def test_nothing_is_wider_than_a_phone(html, tmp_path):
    """The browser's own layout: only boxes made to scroll may exceed the page."""
    probe = (
        "<script>addEventListener('load',()=>{const d=document.querySelector('iframe').contentDocument.documentElement;"
        "document.body.dataset.w='width '+d.scrollWidth+' of '+d.clientWidth})</script>"
    )
    source = tmp_path / "probe.html"  # browsers have no window as narrow as a phone: a frame has
    frame = f'<iframe srcdoc="{escape(html)}" style="border:0;width:375px;height:800px"></iframe>'
    source.write_text(f"<!doctype html><body>{frame}{probe}</body>", encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
             "--disable-background-networking", "--disable-component-update", f"--user-data-dir={tmp_path / 'p'}",
             "--window-size=500,900", "--dump-dom"]  # fmt: skip
    dom = subprocess.run(
        [str(CHROMIUM), *flags, source.as_uri()], check=True, capture_output=True, timeout=120
    ).stdout
    told = re.search(rb'data-w="width (\d+) of (\d+)"', dom)
    assert told
    assert int(told[1]) <= int(told[2]) <= 375
