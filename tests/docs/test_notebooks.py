"""The notebooks in `examples` run from the first cell to the last, show what they say, and are kept without outputs."""

import shutil

import pytest

from tests.docs.blocks import ROOT

NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
SHOWS = {
    "own_model": ["moves right: raises right", "image/png"],
    "hugging_face": ["green ground: raises green", "image/png"],
    "audit_two_checkpoints": ["supported", "contradicted", "image/png"],
}
"""What the outputs of each must say."""

nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_kept(path):
    cells = nbformat.read(path, as_version=4).cells
    assert all(not cell.outputs and cell.execution_count is None for cell in cells if cell.cell_type == "code")


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path, tmp_path, monkeypatch):
    if path.stem == "hugging_face":
        pytest.importorskip("transformers")
    for file in (path, ROOT / "examples" / "moving_shapes.py"):
        shutil.copy(file, tmp_path)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    notebook = nbformat.read(tmp_path / path.name, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    outputs = str([cell.outputs for cell in notebook.cells if cell.cell_type == "code"])
    for text in SHOWS[path.stem]:
        assert text in outputs, text


def test_every_notebook_is_looked_into():
    assert {path.stem for path in NOTEBOOKS} == set(SHOWS)
