"""`RelationalInference`: training and inference from Python, with an interface like that of scikit-learn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.fitting.edge_types import settle_edge_types
from bouncegrad.fitting.stages import train
from bouncegrad.fitting.variants import settle_variants
from bouncegrad.models.forecasts import forecast, predict, without
from bouncegrad.models.model import Model
from bouncegrad.models.unseen import unseen
from bouncegrad.models.windows import infer_windows
from bouncegrad.results.counterfactual import Counterfactual
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.result import Result
from bouncegrad.results.unseen import Unseen
from bouncegrad.settings.config import Config


class RelationalInference:
    """Infers who interacts with whom, and how, and learns the laws of interaction at the same time.

    Args:
        edge_types: K, the number of edge types, "no interaction" included; auto: as many as held-out tasks need.
        seed: seed of every random draw.
        epochs: passes over the tasks; with them a run is reproducible to the bit.
        minutes: a limit of time instead of epochs; 5 if neither is given.
        settings: any other field of `Config`.

    Attributes:
        model_: the trained `Model`.
        structures_: `Int[M, N, N]`, `[task, source, target]`, the structures of the training tasks after training.
        history_: rows of metrics.
        held_out_losses_: held-out loss by K, where the number of edge types was chosen, see `edge_types.py`.
        variants_: what held-out frames decided, where recordings are few, see `variants.py`; None: nothing was chosen.

    Example:
        >>> from bouncegrad import RelationalInference
        >>> from bouncegrad.data.simulate import simulate
        >>> tasks = simulate("springs", tasks=8, entities=3, frames=20, seed=0)
        >>> model = RelationalInference(edge_types=2, seed=0, epochs=2).fit(tasks)
        >>> model.infer(tasks).probability.shape
        (8, 3, 3, 2)
        >>> model.predict(tasks, steps=5).shape
        (8, 5, 3, 4)
    """

    def __init__(
        self,
        edge_types: int | str = 2,
        seed: int = 0,
        epochs: int | None = None,
        minutes: float | None = None,
        **settings: Any,
    ) -> None:
        self.config = Config.from_mapping(
            {"edge_types": edge_types, "seed": seed, "epochs": epochs, "minutes": minutes, **settings},
            type(self).__name__,
        )

    def fit(
        self,
        data: Trajectories | Float[np.ndarray, "M T N D"],
        known: Int[np.ndarray, "M N N"] | None = None,
        new: Trajectories | Float[np.ndarray, "M T N D"] | None = None,
    ) -> RelationalInference:
        """Learns modules and structures from recordings without labels.

        Args:
            data: `Trajectories`, or an array `Float[M, T, N, D]` (task, frame, entity, feature), or a list of equally
                long recordings `Float[T, N, D]`.
            known: types of edges that need not be found, `[task, source, target]`, -1 where not known.
            new: tasks that are only used for validation; `history_` has their metrics.

        Raises:
            InputError: the data or the settings cannot be used; the message says why, in one line.
        """
        data = _trajectories(data)
        watched = None if new is None else _trajectories(new)
        stated = _known(known, data)
        config, self.held_out_losses_ = settle_edge_types(self.config, data, stated)
        self.variants_ = settle_variants(config, data, stated)
        config = config if self.variants_ is None else self.variants_.config
        self.model_, loop, self.history_ = train(config, data, known=stated, new=watched)
        trust = None if self.variants_ is None else self.variants_.trust
        self.model_ = replace(self.model_, trust=trust, loss=self.history_[-1].get("loss"))
        from bouncegrad.core.structures import structure_to_adjacency

        composition = self.model_.composition
        self.structures_ = structure_to_adjacency(loop.z, composition.pairs, composition.entities).numpy()
        return self

    def infer(
        self,
        data: Trajectories | Float[np.ndarray, "M T N D"],
        context: int | None = None,
        known: Int[np.ndarray, "M N N"] | None = None,
        window: int | None = None,
    ) -> Result:
        """Returns the edges of new tasks and their probabilities, inferred from the first frames only.

        Args:
            data: new tasks.
            context: number of frames to infer from; None: all.
            known: types of edges that need not be found, `[task, source, target]`, -1 where not known.
            window: if given, every window of so many frames has its own graph, as a task of the result, see
                `infer_windows`.
        """
        model, new = self._fitted(), self._named(data)
        if window is not None:
            return infer_windows(model, new, window, context, _known(known, new))
        return model.infer(new, context, _known(known, new))

    def predict(
        self, data: Trajectories | Float[np.ndarray, "M T N D"], steps: int, context: int | None = None
    ) -> Float[np.ndarray, "M steps N D"]:
        """Returns free-running forecasts of the frames after the context, in the user's units."""
        return predict(self._fitted(), self._named(data), steps, context)

    def forecast(
        self, data: Trajectories | Float[np.ndarray, "M T N D"], steps: int, context: int | None = None
    ) -> Forecast:
        """Returns the same forecasts, with the values between which 90 % of the futures lie."""
        return forecast(self._fitted(), self._named(data), steps, context)

    def without(
        self,
        data: Trajectories | Float[np.ndarray, "M T N D"],
        entity: str | int,
        steps: int,
        context: int | None = None,
    ) -> Counterfactual:
        """Returns forecasts of the other entities with one entity and without it, given by its name or number."""
        model, new = self._fitted(), self._named(data)
        if not isinstance(entity, str):
            if not 0 <= entity < len(new.entities):
                raise InputError(f"entity {entity}: give a name, or a number from 0 to {len(new.entities) - 1}")
            entity = new.entities[entity]
        return without(model, new, entity, steps, context)

    def unseen(
        self, data: Trajectories | Float[np.ndarray, "M T N-H D"], count: int | None = 1, context: int | None = None
    ) -> Unseen:
        """Returns the tracks and edges of entities that were not recorded.

        If `count` is None, the number of them is chosen that forecasts the recorded entities best.
        """
        return unseen(self._fitted(), self._named(data), count, context)

    def _fitted(self) -> Model:
        if not hasattr(self, "model_"):
            raise InputError("RelationalInference: is not fitted yet; call fit(trajectories) first")
        return self.model_

    def _named(self, data: Trajectories | Float[np.ndarray, "M T N D"]) -> Trajectories:
        """Returns trajectories; an array takes the feature names of training."""
        if isinstance(data, Trajectories):
            return data
        new = _trajectories(data)
        same = len(new.features) == len(self.model_.features)
        return replace(new, features=self.model_.features) if same else new


def _known(known: Int[np.ndarray, "M N N"] | None, data: Trajectories) -> Int[np.ndarray, "M N N"] | None:
    if known is None:
        return None
    m, _, n, _ = data.shape
    known = np.asarray(known)
    if known.shape != (m, n, n) or known.dtype.kind not in "iu" or known.min(initial=0) < -1:
        raise InputError(
            f"known edges: found {known.dtype} of shape {known.shape}; give whole numbers of shape {(m, n, n)}, "
            "[task, source, target], -1 where not known"
        )
    return known.astype(np.int64)


def _trajectories(data: Trajectories | Float[np.ndarray, "M T N D"]) -> Trajectories:
    if isinstance(data, Trajectories):
        return data
    try:
        return Trajectories(np.asarray(data))
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"array: recordings differ in shape ({error}); give equally long ones") from None
