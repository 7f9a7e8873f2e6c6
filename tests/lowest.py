"""Write a constraints file with the lowest version that pyproject.toml states for each dependency and each extra of users.

python tests/lowest.py lowest.txt
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

# s3fs at its lowest takes an aiobotocore below 3, which takes a botocore below 1.41.6. pip does not know that of the newest
# boto3 before it has fetched it, and would try every version of the past year in turn.
SEARCHED = ("boto3<1.41.6",)


def lowest(requirements: list[str]) -> list[str]:
    """name==version of every requirement that states a lower bound."""
    found = (re.match(r"([A-Za-z0-9_.-]+)\s*>=\s*([0-9][0-9A-Za-z.]*)", line) for line in requirements)
    return [f"{m[1]}=={m[2]}" for m in found if m]


def main(target: str) -> None:
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    extras = project["optional-dependencies"]
    stated = [line for name, lines in extras.items() if name not in ("dev", "bench") for line in lines]
    path.write_text("\n".join([*lowest([*project["dependencies"], *stated]), *SEARCHED]) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
