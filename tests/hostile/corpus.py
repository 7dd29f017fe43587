"""Small valid files of every format, as bytes; `mutations.py` damages them."""

from __future__ import annotations

import io
import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from bouncegrad.data.formats import save
from bouncegrad.data.simulate import simulate
from bouncegrad.data.trajectories import Trajectories

from ..data.programs import FILES, PLACES, deeplabcut_table


@dataclass(frozen=True)
class Case:
    """One data set on disk.

    Args:
        path: what is given to `load`, relative to the folder of the files.
        files: content of each file, by its relative path.
        options: what else is given to `load`.
    """

    path: str
    files: dict[str, bytes]
    options: dict[str, Any] = field(default_factory=dict)


def recordings() -> Trajectories:
    """Two tasks of three entities with names, gaps, units and the truth."""
    data = simulate("springs", 2, entities=3, frames=4, seed=0)
    names = {"entities": ("ann", "bob", "čiča"), "tasks": ("day 1", "day 2"), "units": ("m", "m", "m/s", "m/s")}
    return replace(data, x=data.x.round(3), **names)


def with_gaps(data: Trajectories) -> Trajectories:
    """The same with one unobserved cell."""
    mask = np.ones(data.shape[:3], bool)
    mask[0, 1, 2] = False
    return replace(data, mask=mask)


def corpus() -> dict[str, Case]:
    """A case for each format and each way to state the truth."""
    data = recordings()
    one = replace(data.select([0]), x=data.x[:1, :, :, :1], features=("x",), units=("",))
    found: dict[str, Case] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def keep(kind: str, path: str, **options: Any) -> None:
            files = {
                str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
            }
            found[kind] = Case(path, files, options)
            for file in files:
                (folder / file).unlink()

        save(with_gaps(data), folder / "own.npz")
        keep("own", "own.npz")
        np.savez_compressed(folder / "packed.npz", x=data.x, dt=0.1, entities=["a", "b", "c"])
        keep("packed", "packed.npz")
        np.save(folder / "bare.npy", data.x.astype(np.float32))
        keep("bare", "bare.npy")
        save(with_gaps(data), folder / "long.csv")
        keep("long", "long.csv")
        save(with_gaps(data), folder / "wide.csv", format="wide")
        keep("wide", "wide.csv")
        save(one, folder / "net.npz", format="netsim")
        keep("netsim", "net.npz")
        for number in (1, 2):
            save(one, folder / f"net_{number}.npz", format="netsim")
        keep("netsims", ".")
        for form in ("kipf", "alet", "dnri"):
            save(data, folder / form, "train", format=form)
            keep(form, form)
        rows = [f"{10 * t} {p} {0.4 * t + p:.2f} 0 {p:.1f} 1 0 0" for t in range(20) for p in (3, 5, 8)]
        (folder / "obsmat.txt").write_text("\n".join(rows) + "\n")
        (folder / "groups.txt").write_text("3 5\n8\n")
        keep("pedestrians", ".")
        for kind, (file, content) in FILES.items():
            (folder / file).write_text(content)
            keep(kind, file)
        for kind, content in trackers().items():
            (folder / "a.h5").write_bytes(content)
            keep(kind, "a.h5")
        for kind, head in (("semicolons", "time;entity;x;y"), ("dates", "time,entity,x,y"), ("named", "t,who,px,py")):
            (folder / "a.csv").write_text("\n".join([head, *lines(kind)]))
            keep(kind, "a.csv", **({"columns": "time=t,entity=who,features=[x=px]"} if kind == "named" else {}))
        for truth, content in truths(data).items():
            np.save(folder / "bare.npy", data.x)
            (folder / truth).write_bytes(content)
            keep(truth, "bare.npy", edges=truth, **({"edges_order": "source"} if "vector" in truth else {}))
    return found


def lines(kind: str) -> list[str]:
    """Rows of a table with semicolons, with dates, or with times in numbers."""
    rows = [(t, name, t + 0.5, 2.0 * t) for t in range(4) for name in ("P 7", "P 12")]
    if kind == "semicolons":
        return [f"{t};{name};{t},5;{y:g}" for t, name, x, y in rows]
    return [f"{f'2024-01-0{t + 1} 12:00:00' if kind == 'dates' else t},{name},{x},{y}" for t, name, x, y in rows]


def trackers() -> dict[str, bytes]:
    """The files of SLEAP, idtracker.ai and DeepLabCut in HDF5."""
    found = {}
    for kind in ("sleap h5", "idtracker h5", "deeplabcut table h5", "deeplabcut fixed h5"):
        stream = io.BytesIO()
        with h5py.File(stream, "w") as file:
            if kind == "sleap h5":
                file["tracks"], file["track_names"] = PLACES.transpose(1, 2, 0)[:, :, None, :], [b"mia", b"tom"]
                file["node_names"] = [b"nose"]
            elif "deeplabcut" in kind:
                deeplabcut_table(file, kind.split()[1])
            else:
                file["trajectories"] = PLACES
                file.attrs["frames_per_second"] = 50
        found[kind] = stream.getvalue()
    return found


def truths(data: Trajectories) -> dict[str, bytes]:
    """The truth as a table, as matrices in CSV and .npy, and as a vector."""
    assert data.edges is not None
    names = ["0", "1", "2"]
    lines = [f"{m},{s},{t},{data.edges[m, s, t]}" for m, s, t in np.ndindex(data.edges.shape) if s != t]
    matrix = [f"{m},{s}," + ",".join(map(str, data.edges[m, s])) for m in range(2) for s in range(3)]
    return {
        "table.csv": "\n".join(["task,source,target,type", *lines]).encode(),
        "matrix.csv": "\n".join([",".join(["task", "source", *names]), *matrix]).encode(),
        "matrix.npy": as_npy(data.edges),
        "vector.npy": as_npy(data.edges[:, ~np.eye(3, dtype=bool)]),
    }


def as_npy(array: np.ndarray) -> bytes:
    """The bytes of a `.npy` file; of objects, too, which are pickled."""
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=True)
    return stream.getvalue()


def hdf5() -> bytes:
    """Two functions in the published layout."""
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        for name in ("a", "b"):
            file[f"{name}-IN"], file[f"{name}-OUT"] = np.linspace(0, 1, 8), np.linspace(0, 2, 8)
    return stream.getvalue()
