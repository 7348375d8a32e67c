"""What the README and the life pages tell people to type is run, word for word."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

from allmende.lab.served import Served

ROOT = Path(__file__).parent.parent
MARKET = ("--allow-private", "--no-local-model", "--no-starter")


def commands(page: str, heading: str) -> list[list[str]]:
    """The `allmende` commands in the first block under a heading, continued lines joined."""
    block = (ROOT / page).read_text().split(heading, 1)[1].split("```")[1]
    lines = block.replace("\\\n", " ").splitlines()
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("allmende ")]


def test_sharing_a_model_server_works_as_the_readme_says(tmp_path: Path) -> None:
    todo = commands("README.md", "## Share a model server")
    assert len(todo) == 7
    with Served(tmp_path / "data", *MARKET) as market:
        env = {**os.environ, "ALLMENDE_URL": market.url, "ALLMENDE_KEY": market.key}
        for words in todo:
            done = subprocess.run(
                [sys.executable, "-m", "allmende.cli", *words],
                env=env,
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        offers = market.get("offers")
    assert [(row["id"], row["model"]) for row in offers] == [("our-llama", "our-llama")]
    assert "alm_" in done.stdout
