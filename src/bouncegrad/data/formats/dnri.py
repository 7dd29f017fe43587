"""Reads and writes the folder of the published dNRI code: torch files of states and of edges at every frame.

Its edge vectors list all pairs, sorted by sender, then receiver, for each frame. The edges at a frame are those that
acted between the previous frame and this one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Int

from bouncegrad.data.errors import InputError
from bouncegrad.data.formats.folders import PUBLISHED_FEATURES, Chosen, Folder, to_matrices
from bouncegrad.data.formats.format import Format, require_complete, require_no_stale_edges
from bouncegrad.data.torch_files import read_torch, write_torch
from bouncegrad.data.trajectories import Trajectories

FOLDER = Folder(
    template="{part}_{kind}{name}",
    name="",
    kinds=("feats", "edges"),
    spelling={"train": "train", "valid": "val", "test": "test"},
)


def read(path: Path, part: str | None) -> Trajectories:
    """Returns one part. The time step is 1, since positions change by the velocity from frame to frame.

    `Trajectories` holds one graph for each task. A pair whose type is never other than 0 has type 0; every other pair
    has the type, other than 0, that it has in most frames. `frame_edges` returns the types of all frames.

    Raises:
        InputError: a file is damaged, or the files do not fit together.
    """
    chosen = FOLDER.choose(path, part)
    file = FOLDER.file("feats", chosen)
    if not file.exists():
        raise InputError(f"{file}: no such file; it belongs to the same part as the edges, add it")
    data = Trajectories(read_tensor(file), source=str(path))
    edges = None
    if FOLDER.file("edges", chosen).exists():
        m, t, n, _ = data.shape
        moving = _edges(chosen, (m, t, n * (n - 1)), n)
        kinds = np.setdiff1d(np.append(moving, 1), 0)  # type 1 is always in, so that the list is never empty
        frames = np.stack([(moving == kind).sum(1) for kind in kinds])
        edges = np.where(frames.any(0), kinds[frames.argmax(0)], 0)
    return Trajectories(data.x, edges=edges, source=str(path))


def frame_edges(path: Path, part: str | None = None) -> Int[np.ndarray, "M T N N"]:
    """Returns the edge types `[source, target]` at every frame of one part.

    Raises:
        InputError: a file is damaged, or the files do not fit together.
    """
    chosen = FOLDER.choose(path, part)
    m, t, n, _ = read(path, part).shape
    return _edges(chosen, (m, t, n * (n - 1)), n)


def write(data: Trajectories, path: Path, part: str | None) -> None:
    """Writes one part, with the same edges at every frame.

    Names, units and dt are lost, since the layout has no place for them.

    Raises:
        InputError: there are other features than x, y, vx, vy, or unobserved cells, or the part is unknown.
    """
    import torch

    if data.features != PUBLISHED_FEATURES:
        raise InputError(
            f"{path}: a dNRI folder holds the features {', '.join(PUBLISHED_FEATURES)}, found "
            f"{', '.join(data.features)}; save as .npz"
        )
    chosen = FOLDER.chosen_for_writing(path, "", part)
    require_complete(data, path)
    require_no_stale_edges(data, FOLDER.file("edges", chosen))
    tensors = {"feats": data.x}
    if data.edges is not None:
        vectors = data.edges[:, None, ~np.eye(len(data.entities), dtype=bool)]
        tensors["edges"] = vectors.repeat(data.shape[1], axis=1).astype(np.float32)
    for kind, array in tensors.items():
        write_torch(torch.from_numpy(np.ascontiguousarray(array)), FOLDER.file(kind, chosen))


def read_tensor(path: Path) -> np.ndarray:
    """Returns the array of a file that torch saved; Python objects in it are not loaded.

    Raises:
        InputError: the file is damaged, is not a torch file, or does not hold exactly one tensor.
    """
    import torch

    try:
        tensor = read_torch(path)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a file that you may read") from None
    except Exception:  # on damaged bytes the unpickler raises errors of nearly any type, and recommends unsafe options
        raise InputError(
            f"{path}: cannot be read as a tensor (cut short, no torch file, or Python objects); "
            "save one tensor with torch.save"
        ) from None
    if not isinstance(tensor, torch.Tensor) or tensor.layout != torch.strided:
        found = f"{type(tensor).__name__}, not one dense tensor"
        raise InputError(f"{path}: holds {found}; save one tensor with torch.save")
    if tensor.nbytes > tensor.untyped_storage().nbytes():  # such a tensor repeats the same numbers
        raise InputError(f"{path}: claims shape {tuple(tensor.shape)} and stores less; save it as contiguous")
    # NumPy has no bfloat16, and torch does not convert tensors with gradients or lazy conjugates.
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).detach().resolve_conj().numpy()


def _edges(chosen: Chosen, shape: tuple[int, int, int], n: int) -> Int[np.ndarray, "M T N N"]:
    file = FOLDER.file("edges", chosen)
    if not file.exists():
        raise InputError(f"{file}: no such file; it holds the edges of this part, add it")
    values = read_tensor(file)
    if values.shape != shape:
        raise InputError(
            f"{file}: shape {values.shape}, but {shape[0]} tasks of {shape[1]} frames and {n} entities need {shape} "
            "(task, frame, pair by sender, then receiver, no self-edges); give the edges of these recordings"
        )
    return to_matrices(values.reshape(-1, shape[2]), n, file).reshape(*shape[:2], n, n)


DNRI = Format(
    name="dnri",
    layout="a dNRI folder with {train,val,test}_feats and _edges",
    recognises=FOLDER.recognises,
    read=read,
    write=write,
    parts=FOLDER.parts,
    files=lambda path, part: FOLDER.files(path, "", part),
    left_out="edges that change in time: a pair that ever acts has the type with which it acts in most frames",
)
