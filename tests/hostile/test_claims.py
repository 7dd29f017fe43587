"""Files that claim more than they hold, and paths without a target: refused before memory is taken."""

from __future__ import annotations

import io
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
import yaml

from bouncegrad.data import memory
from bouncegrad.data.errors import InputError
from bouncegrad.data.formats import load
from bouncegrad.data.hdf5 import read_hdf5
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.results.result import Result
from bouncegrad.runs.folder import Run
from bouncegrad.settings.config import Config
from bouncegrad.settings.safe_yaml import load_plain

from .mutations import header, packed

ENTITIES = 10**9


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Makes an empty current folder; no test may take more than 50 MB."""
    monkeypatch.chdir(tmp_path)
    tracemalloc.start()
    yield
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e7


def refused(read, *given: object) -> str:
    with pytest.raises(InputError) as error:
        read(*given)
    return str(error.value)


def zeros(name: str, head: bytes, size: int) -> None:
    """Writes an archive with one array of zeros, which is compressed a thousandfold."""
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as stream:
        stream.write(head)
        for _ in range(size // 10**6):
            stream.write(bytes(10**6))


def test_a_header_that_claims_a_thousand_million_entities():
    Path("a.npy").write_bytes(header("<f8", (1, 2, ENTITIES, 4)) + bytes(100))
    says = "its header claims shape (1, 2, 1000000000, 4), 64.0 GB, and 100 bytes are there; copy or save"
    assert says in refused(load, "a.npy")
    Path("a.npz").write_bytes(packed({"x.npy": Path("a.npy").read_bytes()}))
    assert "a.npz, key x: " in refused(load, "a.npz")
    assert says in refused(load, "a.npz")


def test_an_archive_that_unpacks_to_gigabytes():
    zeros("bomb.npz", header("<f4", (1, 10, 10**7, 1)), 4 * 10**8)
    assert Path("bomb.npz").stat().st_size < 10**6
    assert "bomb.npz: unpacks to about 0.4 GB from " in refused(load, "bomb.npz")


def test_numbers_that_grow_when_they_are_converted():
    zeros("bytes.npz", header("|u1", (1, 10, 10**7, 1)), 10**8)
    assert "bytes.npz: unpacks to about 0.9 GB from " in refused(load, "bytes.npz")


def test_what_is_larger_than_the_memory_that_is_free(monkeypatch):
    np.save("a.npy", np.zeros((1, 2, 2, 4)))
    monkeypatch.setattr(memory, "free_bytes", lambda: 100.0)
    assert refused(load, "a.npy") == "a.npy: takes about 0.0 GB, 0.0 GB are free; give fewer or shorter recordings"
    np.save("many.npy", np.zeros((1, 2, 100, 1)))
    Path("edges.csv").write_text("source,target,type\n0,1,1\n")
    monkeypatch.setattr(memory, "free_bytes", lambda: 1e5)
    assert "edges.csv: takes about 0.0 GB, 0.0 GB are free" in refused(lambda: load("many.npy", edges="edges.csv"))


@pytest.mark.parametrize("kind", ["<U0", "|V0", "|S0"])
def test_texts_of_no_letters_cost_nothing_to_claim(kind):
    good = {"x.npy": npy(np.zeros((1, 2, 2, 1)))}
    Path("a.npz").write_bytes(packed(good | {"entities.npy": header(kind, (ENTITIES,))}))
    assert "its header claims shape (1000000000,), 1.0 GB" in refused(load, "a.npz")


@pytest.mark.parametrize("shape", [(-1, 2, 2, 1), (10**30, 0, 2, 1), (2**63, 2, 2, 1)])
def test_impossible_shapes(shape):
    Path("a.npy").write_bytes(header("<f8", shape) + bytes(64))
    assert "a.npy: cannot be read (cut short or damaged)" in refused(load, "a.npy")


def test_a_tensor_that_shows_one_number_a_thousand_million_times():
    torch.save(torch.zeros(1).expand(1, 2, ENTITIES, 4), "train_feats")
    assert "train_feats: claims shape (1, 2, 1000000000, 4) and stores less" in refused(load, ".")


def test_a_packed_file_of_torch():
    torch.save(torch.zeros(1, 2, 3, 4), "plain")
    with zipfile.ZipFile("plain") as plain, zipfile.ZipFile("train_feats", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in plain.namelist():
            archive.writestr(name, plain.read(name))
    Path("plain").unlink()
    assert "train_feats: cannot be read as a tensor" in refused(load, ".")


def test_edge_types_that_nobody_can_count():
    x, types = np.zeros((1, 2, 2, 1)), np.array([[[0, 10**9], [0, 0]]])
    assert "edge type 1000000000 at (task, source, target) (0, 0, 1)" in refused(lambda: Trajectories(x, edges=types))
    np.save("a.npy", x)
    np.save("edges.npy", types)
    assert "the value 1000000000 among the edges of task 0" in refused(lambda: load("a.npy", edges="edges.npy"))


def test_hdf5_that_claims_more_than_it_stores():
    with h5py.File("a.h5", "w") as file:
        for name in ("a-IN", "a-OUT"):
            file.create_dataset(name, (10**11,), chunks=(1000,), dtype="f8")
    assert "a.h5: unpacks to about 1600.0 GB from" in refused(lambda: read_hdf5("a.h5", fitted=2, held_out=2))


@pytest.mark.parametrize("kind", ["elsewhere", "raw", "group", "words", "loop"])
def test_hdf5_whose_tables_are_elsewhere_or_none(kind):
    Path("secret").write_bytes(bytes(range(64)))
    with h5py.File("other.h5", "w") as file:
        file["a"] = np.arange(8.0)
    with h5py.File("a.h5", "w") as file:
        file["a-OUT"] = np.arange(8.0)
        match kind:
            case "elsewhere":
                file["a-IN"] = h5py.ExternalLink("other.h5", "a")
            case "raw":
                file.create_dataset("a-IN", (8,), dtype="f8", external=[("secret", 0, 64)])
            case "group":
                file.create_group("a-IN")
            case "words":
                file["a-IN"] = np.array([b"one"] * 8)
            case "loop":
                file["a-IN"] = h5py.SoftLink("/a-IN")
    assert "'a-IN' is no table of numbers within this file; write" in refused(
        lambda: read_hdf5("a.h5", fitted=2, held_out=2)
    )


def test_hdf5_of_a_newer_version():
    with h5py.File("a.h5", "w") as file:
        file.attrs["format_version"] = 2
    assert "has format 2, this version reads 1; update" in refused(lambda: read_hdf5("a.h5", fitted=2, held_out=2))


def test_a_few_aliases_that_stand_for_more_than_memory_holds():
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 12)]
    text = "\n".join(["a0: &a0 [x, x, x]", *levels, "edge_hidden: *a11"])
    with pytest.raises(ValueError, match=r"line 2 has the alias \*a0; write its value out"):
        load_plain(text)
    assert load_plain(Config().to_yaml()) == yaml.safe_load(Config().to_yaml())
    Path("run").mkdir()
    Path("run/config.yaml").write_text(text)
    assert "config.yaml: is damaged" in refused(Run("run").config)


def test_links_and_folders_where_files_should_be():
    Path("loop.npz").symlink_to("loop.npz")
    Path("folder.npz").mkdir()
    Path("loc_train.npy").mkdir()
    np.save("vel_train.npy", np.zeros((1, 2, 2, 3)))
    assert "loop.npz: no such file or folder" in refused(load, "loop.npz")
    assert "folder.npz: this folder has no known format" in refused(load, "folder.npz")
    assert "loc_train.npy: cannot be read (Is a directory)" in refused(load, ".")
    assert "folder.npz: not a result file" in refused(Result.load, "folder.npz")


def test_names_that_would_lead_out_of_a_folder_stay_names(tmp_path):
    Path("a.npz").write_bytes(packed({"../../evil.npy": npy(np.zeros(1)), "x.npy": npy(np.zeros((1, 2, 2, 1)))}))
    assert "unknown key ../../evil" in refused(load, "a.npz")
    assert not (tmp_path.parent.parent / "evil.npy").exists()


@pytest.mark.parametrize("name", ["\ud800", "a\0b"])
def test_names_that_are_no_text(name):
    x = np.zeros((1, 2, 2, 1))
    assert "in entities cannot be written as text; rename" in refused(lambda: Trajectories(x, entities=(name, "b")))


def test_a_name_that_stands_twice_among_many_columns():
    names = [f"e{i}:x" for i in range(20_000)]
    Path("wide.csv").write_text(",".join([*names, names[0]]) + "\n")
    assert "stands twice" in refused(load, "wide.csv")


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_an_archive_of_a_version_to_come(tmp_path):
    content = bytearray(packed({"X_np.npy": npy(np.zeros((3, 4)))}))
    content[content.index(b"PK\x01\x02") + 6] = 64
    Path("a_1.npz").write_bytes(content)
    assert "this folder has no known format" in refused(load, ".")
    assert "a_1.npz: cannot be read (cut short or damaged)" in refused(load, "a_1.npz")
