"""Write flip.json and color_differences.json: what the authors' programs say of tests/color_scenes.py.

pip install flip-evaluator==1.7 colour-science==0.4.7 && python tests/golden/make_peers.py
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from color_scenes import code, light  # noqa: E402

M709 = np.array([[0.640, 0.330], [0.300, 0.600], [0.150, 0.060]])
M2020 = np.array([[0.708, 0.292], [0.170, 0.797], [0.131, 0.046]])


def matrix(xy: np.ndarray) -> np.ndarray:
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in xy]).T
    white = np.array([0.3127 / 0.3290, 1, (1 - 0.3127 - 0.3290) / 0.3290])
    return columns * np.linalg.solve(columns, white)


def summary(errors: np.ndarray) -> dict[str, float]:
    found = {f"p{q}": np.percentile(errors, q) for q in (95, 99)}
    found |= {"mean": errors.mean(), "rms": np.sqrt((errors**2).mean()), "max": errors.max()}
    found |= {"median": np.median(errors), "pixel_12_34": errors[12, 34]}
    return {k: float(v) for k, v in found.items()}


def color_differences() -> dict:
    import colour

    out = {}
    for name, xy, white in (("bt709", M709, 100.0), ("bt2020", M2020, 203.0)):
        to_xyz = matrix(xy)
        ref, test = light()
        wide = [a @ (np.linalg.solve(matrix(M2020), to_xyz)).T for a in (ref, test)]
        ictcp = [colour.RGB_to_ICtCp(w, method="ITU-R BT.2100-2 PQ") for w in wide]
        xyz = [a @ to_xyz.T for a in (ref, test)]
        d65 = np.array([0.3127, 0.3290])
        lab = [colour.XYZ_to_Lab(a / white, d65) for a in xyz]
        jz = [colour.XYZ_to_Jzazbz(a) for a in xyz]
        found = {
            "delta-e-itp": colour.difference.delta_E_ITP(*ictcp),
            "delta-e-76": colour.delta_E(*lab, method="CIE 1976"),
            "delta-e-94": colour.delta_E(*lab, method="CIE 1994", textiles=False),
            "delta-e-2000": colour.delta_E(*lab, method="CIE 2000"),
            "hyab": colour.difference.delta_E_HyAB(*lab),
            "delta-e-z": np.linalg.norm(jz[0] - jz[1], axis=-1),
        }
        out[name] = {"white": white, "values": {k: summary(v) for k, v in found.items()}}
    return {"program": "colour-science 0.4.7", "scene": "tests/color_scenes.py light()", "cases": out}


def flip() -> dict:
    from flip_evaluator import evaluate

    cases = []
    settings = [("LDR", {}), ("LDR", {"ppd": 30.0})]
    settings += [("HDR", {"tonemapper": t}) for t in ("aces", "hable", "reinhard")]
    settings += [("HDR", {"ppd": 45.0, "startExposure": -9.0, "stopExposure": 1.0, "numExposures": 4})]
    for kind, parameters in settings:
        ref, test = light() if kind == "HDR" else (a / 255 for a in code())
        errors, _, used = evaluate(
            ref.astype(np.float32),
            test.astype(np.float32),
            kind,
            applyMagma=False,
            parameters=dict(parameters),
        )
        errors = np.asarray(errors, np.float64).reshape(ref.shape[:2])
        ascending = np.sort(errors.ravel())
        sums = ascending.cumsum()
        shares = {
            n: float(ascending[(sums > p * sums[-1]).argmax()])
            for n, p in (("q1", 0.25), ("median", 0.5), ("q3", 0.75))
        }
        found = {
            "mean": float(errors.mean()),
            "max": float(errors.max()),
            "min": float(errors.min()),
            **shares,
        }
        used = (
            {k: used[k] for k in ("startExposure", "stopExposure", "numExposures")} if kind == "HDR" else {}
        )
        cases.append(
            {
                "kind": kind,
                "parameters": parameters,
                "values": found,
                "used": used,
                "row20": errors[20].tolist(),
            }
        )
    return {
        "program": "flip-evaluator 1.7, float32",
        "scene": "tests/color_scenes.py light() or code()/255",
        "cases": cases,
    }


if __name__ == "__main__":
    for name, make in (("flip", flip), ("color_differences", color_differences)):
        (HERE / f"{name}.json").write_text(json.dumps(make(), indent=1) + "\n")
