"""Write video_and_structure.json: the MPEG numbers, NLPD, CW-SSIM and PSNR-HVS of tests/color_scenes.py in plain numpy.

Written apart from hdrq, step by step as the programs work, slowly and in float64. On real images the same steps gave the numbers
of HDRTools c6670c1 (1e-12 dB), NLP_dist.m (4e-16), NLPD 4c8b8b9 (4e-15), google-research/perceptual-quality 478157a (float32),
psnrhvsm.m (8e-14 dB) and CW-SSIM 1.0 (7e-13).

    python tests/golden/make_numpy.py
"""

from __future__ import annotations

import json
import sys
from math import factorial
from pathlib import Path

import numpy as np
from scipy.fft import dctn
from scipy.signal import convolve2d

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from color_scenes import code, light  # noqa: E402

XYZ6 = np.array(
    [[0.412391, 0.357584, 0.180481], [0.212639, 0.715169, 0.072192], [0.019331, 0.119195, 0.950532]]
)
XYZ4 = np.float32([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9504]]).astype(
    float
)
YCC = np.array([[0.2126, 0.7152, 0.0722], [-0.114572, -0.385428, 0.5], [0.5, -0.454153, -0.045847]])
TAPS = np.array([0.05, 0.25, 0.4, 0.25, 0.05])


def pq(v):
    y = v ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * y) / (1 + 2392 / 128 * y)) ** (2523 / 32)


def transfer(name, v):
    s, t = pq(0.01), pq(1e-4)
    with np.errstate(divide="ignore"):
        f = np.where(100 * v >= 0.008856, np.cbrt(100 * v), 7.78704 * 100 * v + 0.137931)
    philips = np.log(1 + 24 * (2 * v) ** (1 / 2.4)) / np.log(1 + 24 * 2 ** (1 / 2.4))
    camera = np.where(v < 0.00018, s * 450 * v, s * (1.099 * (100 * v) ** 0.45 - 0.099))
    return {
        "pq+philips": (pq(v) + philips) / 2,
        "pq": pq(v),
        "cube-root": f / np.cbrt(100),
        "pq-toe": np.where(v < 1e-4, 4.5 * v, (pq(v) - t) / (1 - t) * (1 - 4.5e-4) + 4.5e-4),
        "none": v,
        "pq-709": np.where(v < 0.01, camera, pq(v)),
        "pq-gamma": np.where(v < 0.01, s * (100 * v) ** (1 / 2.4), pq(v)),
    }[name]


def db(x):
    return -10 * np.log10(x)


def tpsnr(a, b, name):
    planes = {
        "rgb": [np.clip(i / 1e4, 0, 1) for i in (a, b)],
        "xyz": [np.clip(i / 1e4 @ XYZ6.T, 0, 1) for i in (a, b)],
    }
    found = {}
    for space, (p, q) in planes.items():
        d = transfer(name, p) - transfer(name, q)
        found[space] = db((d**2).mean())
        if space == "xyz":
            found["tosnr"] = 2 * db(np.sqrt((d**2).sum(-1)).mean())
    p, q = (np.clip(transfer(name, i) @ YCC.T, 0, 1) for i in planes["rgb"])
    found["ycbcr"] = db(((p - q) ** 2).mean())
    return found


def hdrtools_lab(rgb, white):
    t = rgb @ XYZ4.T / (white * np.array([0.95047, 1, 1.08883]))
    f = np.where(t >= 0.008856, np.cbrt(t), 7.78704 * t + 0.137931)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])])


def naive_2000(p, q):
    (l1, a1, b1), (l2, a2, b2) = p, q
    c7 = ((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2) ** 7
    g = 1 + 0.5 * (1 - np.sqrt(c7 / (c7 + 25.0**7)))
    c1, c2, h1, h2 = (
        np.hypot(g * a1, b1),
        np.hypot(g * a2, b2),
        np.arctan2(b1, g * a1),
        np.arctan2(b2, g * a2),
    )
    lm, cm, hm, deg = (l1 + l2) / 2, (c1 + c2) / 2, (h1 + h2) / 2, np.pi / 180
    t = 1 - 0.17 * np.cos(hm - 30 * deg) + 0.24 * np.cos(2 * hm) + 0.32 * np.cos(3 * hm + 6 * deg)
    t -= 0.2 * np.cos(4 * hm - 63 * deg)
    dl = (l2 - l1) / (1 + 0.015 * (lm - 50) ** 2 / np.sqrt(20 + (lm - 50) ** 2))
    dc = (c2 - c1) / (1 + 0.045 * cm)
    dh = 2 * np.sqrt(c1 * c2) * np.sin((h2 - h1) / 2) / (1 + 0.015 * cm * t)
    theta = 30 * deg * np.exp(-(((hm - 275 * deg) / (25 * deg)) ** 2))
    rt = -np.sin(2 * theta) * 2 * np.sqrt(cm**7 / (cm**7 + 25.0**7))
    return np.sqrt(np.maximum(dl**2 + dc**2 + dh**2 + rt * dc * dh, 0))


def mpsnr(a, b):
    total = count = 0
    for s in range(-34, 16):
        p, q = (np.round(np.clip(255 * (2.0**s * np.clip(i, 0, 65504)) ** (1 / 2.2), 0, 255)) for i in (a, b))
        use = (p.max(-1) > 0) & (p.max(-1) < 255)
        total, count = total + ((p - q)[use] ** 2).sum(), count + use.sum()
    return 10 * np.log10(255**2 / (total / (3 * count)))


def ten_bit(rgb):
    h, w = (n // 2 * 2 for n in rgb.shape[:2])
    v = pq(rgb[:h, :w] / 1e4)
    y = v @ [0.2627, 0.6780, 0.0593]
    chroma = [(v[..., 2] - y) / 1.8814, (v[..., 0] - y) / 1.4746]
    small = [c.reshape(h // 2, 2, w // 2, 2).mean((1, 3)) for c in chroma]
    planes = [np.floor(876 * y + 64.5), *(np.floor(896 * c + 512.5) for c in small)]
    return [np.clip(p, 4, 1019) for p in planes]


def wpsnr(a, b):
    p, q = ten_bit(a), ten_bit(b)
    w = 2 ** (np.clip(0.015 * p[0] - 7.5, -3, 6) / 3)
    weights = [w, w[::2, ::2], w[::2, ::2]]
    return [10 * np.log10(1020**2 / (k * (x - y) ** 2).mean()) for k, x, y in zip(weights, p, q)]


def down(x):
    wide = np.pad(x, 2, "symmetric")
    return convolve2d(wide, np.outer(TAPS, TAPS), "valid")[::2, ::2]


def up(x, shape, border):
    x = np.pad(x, 1, "edge")
    zeros = np.zeros((2 * x.shape[0], 2 * x.shape[1]))
    zeros[::2, ::2] = 4 * x
    wide = np.pad(zeros, 2, "symmetric") if border == "symmetric" else np.pad(zeros, 2)
    return convolve2d(wide, np.outer(TAPS, TAPS), "valid")[2 : 2 + shape[0], 2 : 2 + shape[1]]


def pyramid(x, levels, border):
    bands = []
    for _ in range(levels - 1):
        low = down(x)
        bands.append(x - up(low, x.shape, border))
        x = low
    return [*bands, x]


def nlpd_2016(a, b):
    cross = [
        (0.1011, 0.1493, 0.1460, 0.0072, 0.1015),
        (0.0757, 0.1986, 0.1846, 0, 0.0837),
        (0.0477, 0.2138, 0.2243, 0, 0.0467),
    ]
    cross += [(0, 0.2503, 0.2616, 0, 0), (0, 0.2598, 0.2552, 0, 0), (0, 0.2215, 0.0717, 0, 0)]
    sigma, out = (0.0248, 0.0185, 0.0179, 0.0191, 0.0220, 0.2782), []
    for k, (p, q) in enumerate(zip(pyramid(a, 6, "zero"), pyramid(b, 6, "zero"))):
        kernel = np.zeros((5, 5))
        kernel[1, 2], kernel[2, 1], kernel[2, 3], kernel[2, 4], kernel[3, 2] = cross[k]
        p, q = (z / (sigma[k] + convolve2d(np.abs(z), kernel, "same")) for z in (p, q))
        out.append(np.sqrt(((p - q) ** 2).mean()))
    return np.mean(out)


def mirrored(x):
    bands = []
    for _ in range(5):
        low = convolve2d(np.pad(x, 4, "reflect"), np.outer(TAPS, TAPS), "valid")[::2, ::2]
        zeros = np.zeros([2 * n - 1 for n in low.shape])
        zeros[::2, ::2] = low
        full = convolve2d(zeros, 4 * np.outer(TAPS, TAPS), "full")
        bands.append(x - full[4 : 4 + x.shape[0], 4 : 4 + x.shape[1]])
        x = low[1:-1, 1:-1]
    return [*bands, x]


def nlpd_2017(a, b, program):
    pool = (
        np.array([[4, 4, 5, 4, 4], [4, 3, 4, 3, 4], [5, 4, 5, 4, 5], [4, 3, 4, 3, 4], [4, 4, 5, 4, 4]]) / 100
    )
    a, b = a ** (1 / 2.6), b ** (1 / 2.6)
    levels = int(np.log2(min(a.shape))) - 2
    first, second = (
        mirrored(z) if program == "tensorflow" else pyramid(z, levels, "symmetric") for z in (a, b)
    )
    out = []
    border = "constant" if program == "tensorflow" else "reflect"
    for k, pair in enumerate(zip(first, second)):
        sigma = 4.86 if k == len(first) - 1 else 0.17
        around = [np.abs(z) for z in pair]
        if k < 5:
            around = [convolve2d(np.pad(z, 2, border), pool, "valid") for z in around]
        p, q = (z / (sigma + r) for z, r in zip(pair, around))
        out.append(np.sqrt(((p - q) ** 2).mean()))
    return np.mean(np.array(out) ** 0.6) ** (1 / 0.6)


Q = "16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62 18 22 37 56 68 109 103 77 "
Q += "24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"


def psnr_hvs(a, b, masked):
    quantisers = np.array([int(n) for n in Q.split()]).reshape(8, 8)
    csf, mask, total, count = np.round(25.73509 / quantisers, 6), np.round((10 / quantisers) ** 2, 6), 0, 0

    def energy(block, spectrum):
        var = lambda z: z.var(ddof=1) * z.size  # noqa: E731
        whole = var(block)
        share = sum(var(block[i : i + 4, j : j + 4]) for i in (0, 4) for j in (0, 4)) / whole if whole else 0
        weights = mask.copy()
        weights[0, 0] = 0
        return np.sqrt((spectrum**2 * weights).sum() * share) / 32

    for i in range(0, a.shape[0] - 7, 8):
        for j in range(0, a.shape[1] - 7, 8):
            p, q = a[i : i + 8, j : j + 8], b[i : i + 8, j : j + 8]
            s, t = dctn(p, norm="ortho"), dctn(q, norm="ortho")
            u = np.abs(s - t)
            if masked:
                less = np.maximum(u - max(energy(p, s), energy(q, t)) / mask, 0)
                less[0, 0] = u[0, 0]
                u = less
            total, count = total + ((u * csf) ** 2).sum(), count + 64
    return 10 * np.log10(255**2 / (total / count))


def bands_of(x, level, n):
    """One level of buildSCFpyr, level by level on the shifted spectrum."""
    h, w = x.shape
    cy, cx = int(np.ceil((h + 0.5) / 2)) - 1, int(np.ceil((w + 0.5) / 2)) - 1
    gx, gy = np.meshgrid((np.arange(w) - cx) / (w / 2), (np.arange(h) - cy) / (h / 2))
    angle, radius = np.arctan2(gy, gx), np.hypot(gx, gy)
    radius[cy, cx] = radius[cy, cx - 1]
    octave = np.log2(radius)
    phase = np.pi * np.arange(-257, 2) / 512
    ycos = np.cos(phase) ** 2
    ycos[0], ycos[-1] = ycos[1], ycos[-2]
    xcos, high = -0.5 + 2 / np.pi * (phase + np.pi / 4), np.sqrt(ycos)
    low = np.sqrt(1 - high**2)
    dft = np.fft.fftshift(np.fft.fft2(x)) * np.interp(octave, xcos, low)
    nodes = np.pi * np.arange(-2049, 1026) / 1024
    const = 2 ** (2 * (n - 1)) * factorial(n - 1) ** 2 / (n * factorial(2 * (n - 1)))
    half = (
        2
        * np.sqrt(const)
        * np.cos(nodes) ** (n - 1)
        * (np.abs(np.mod(np.pi + nodes, 2 * np.pi) - np.pi) < np.pi / 2)
    )
    for _ in range(level):
        xcos = xcos - 1
        if _ == level - 1:
            sides = [
                np.interp(angle, nodes + np.pi * b / n, half) * np.interp(octave, xcos, high)
                for b in range(n)
            ]
            return [np.fft.ifft2(np.fft.ifftshift((-1j) ** (n - 1) * dft * s)) for s in sides]
        cut = []
        for size in dft.shape:
            c, small = int(np.ceil((size + 0.5) / 2)), int(np.ceil((size - 0.5) / 2))
            start = c - int(np.ceil((small + 0.5) / 2))
            cut.append(slice(start, start + small))
        octave, angle = octave[cut[0], cut[1]], angle[cut[0], cut[1]]
        dft = dft[cut[0], cut[1]] * np.interp(octave, xcos, low)
    raise AssertionError


def cw_ssim(a, b, level, n, k):
    values = []
    for p, q in zip(bands_of(a, level, n), bands_of(b, level, n)):
        box = np.ones((7, 7)) / 49
        joint = np.abs(convolve2d(p * q.conj(), box, "valid"))
        energy = convolve2d(np.abs(p) ** 2 + np.abs(q) ** 2, box, "valid")
        y, x = (np.arange(m) - (m - 1) / 2 for m in joint.shape)
        g = np.exp(-(y[:, None] ** 2 + x[None] ** 2) / (2 * (p.shape[0] / 4) ** 2))
        g[g < np.finfo(float).eps * g.max()] = 0
        values.append(((2 * joint + k) / (energy + k) * g / g.sum()).sum())
    return np.mean(values)


def main():
    a, b = light()
    names = ("pq+philips", "pq", "cube-root", "pq-toe", "none", "pq-709", "pq-gamma")
    found = {"tpsnr": {n: tpsnr(a, b, n) for n in names}, "mpsnr": mpsnr(a, b), "wpsnr": wpsnr(a, b)}
    for white in (100, 1000, 5000):
        p, q = hdrtools_lab(a, white), hdrtools_lab(b, white)
        e = naive_2000(p, q)
        found[f"white {white}"] = [
            10 * np.log10(1e4 / z) for z in (e.mean(), e.max(), np.abs(p[0] - q[0]).mean())
        ]
    big = [z @ [0.2126, 0.7152, 0.0722] for z in light(101, 150)]
    found["nlpd"] = {program: nlpd_2017(*big, program) for program in ("tensorflow", "python")}
    grey = [z @ [0.2126, 0.7152, 0.0722] for z in code(101, 150)]
    found["nlpd-2016"] = nlpd_2016(*(z / 255 for z in grey))
    found["psnr-hvs"], found["psnr-hvs-m"] = psnr_hvs(*grey, False), psnr_hvs(*grey, True)
    found["cw-ssim"] = {
        f"{level} {n} {k:g}": cw_ssim(*grey, level, n, k)
        for level, n, k in ((1, 3, 0), (2, 8, 0.01), (4, 8, 0))
    }
    note = "plain numpy (make_numpy.py); tests/color_scenes.py light(), light(101, 150) luminance, code(101, 150) luma"
    text = json.dumps({"program": note, "values": found}, indent=1, default=float)
    (HERE / "video_and_structure.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
