"""`RelationalInference`: training and inference from Python, an estimator as scikit-learn knows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from bouncegrad.data.errors import InputError
from bouncegrad.data.trajectories import Trajectories
from bouncegrad.fitting import fitted
from bouncegrad.fitting.fitted import Fitted
from bouncegrad.fitting.notebook_bar import shown
from bouncegrad.fitting.scores import score
from bouncegrad.models.forecasts import forecast, predict, without
from bouncegrad.models.model import Model
from bouncegrad.models.unseen import unseen
from bouncegrad.models.windows import infer_windows
from bouncegrad.results.counterfactual import Counterfactual
from bouncegrad.results.forecast import Forecast
from bouncegrad.results.notebook import training_page
from bouncegrad.results.result import Result
from bouncegrad.results.unseen import Unseen
from bouncegrad.settings.config import Config
from bouncegrad.settings.parameters import Parameters, signature


class RelationalInference:
    """Infers who interacts with whom, and how, and learns the laws of interaction at the same time.

    It can be cloned, searched and pickled as an estimator of scikit-learn. Parameters are kept as they are given; `fit`
    checks their values.

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
        run_: what a run folder holds; `save` writes it.

    Raises:
        InputError: a parameter has an unknown name.

    Example:
        >>> from bouncegrad import RelationalInference
        >>> from bouncegrad.data.simulate import simulate
        >>> tasks = simulate("springs", tasks=8, entities=3, frames=20, seed=0)
        >>> model = RelationalInference(edge_types=2, seed=0, epochs=2).fit(tasks)
        >>> model
        RelationalInference(epochs=2)
        >>> model.infer(tasks).probability.shape
        (8, 3, 3, 2)
        >>> model.predict(tasks, steps=5).shape
        (8, 5, 3, 4)
        >>> model.save("run")
        >>> RelationalInference.load("run").score(tasks) == model.score(tasks)
        True
    """

    def __init__(
        self,
        edge_types: int | str = 2,
        seed: int = 0,
        epochs: int | None = None,
        minutes: float | None = None,
        **settings: Any,
    ) -> None:
        first = {"edge_types": edge_types, "seed": seed, "epochs": epochs, "minutes": minutes}
        self._parameters = Parameters(type(self).__name__, first | settings)

    @property
    def config(self) -> Config:
        """The parameters as settings.

        Raises:
            InputError: a value cannot be used, or values do not fit each other.
        """
        return self._parameters.config

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Returns all parameters by name, as they were given; `deep` makes no difference."""
        return dict(self._parameters.values)

    def set_params(self, **parameters: Any) -> RelationalInference:
        """Sets some parameters for the next `fit`.

        Raises:
            InputError: a parameter has an unknown name.
        """
        self._parameters.set(parameters)
        return self

    def fit(
        self,
        data: Trajectories | Float[np.ndarray, "M T N D"],
        known: Int[np.ndarray, "M N N"] | None = None,
        new: Trajectories | Float[np.ndarray, "M T N D"] | None = None,
        progress: bool | Callable[[float, str], object] = False,
    ) -> RelationalInference:
        """Learns modules and structures from recordings without labels.

        Args:
            data: `Trajectories`, or an array `Float[M, T, N, D]` (task, frame, entity, feature), or a list of equally
                long recordings `Float[T, N, D]`.
            known: types of edges that need not be found, `[task, source, target]`, -1 where not known. Scikit-learn
                calls this argument y.
            new: tasks that are only used for validation; `history_` has their metrics.
            progress: if true, a notebook shows a bar. Or a function, which is called with the share of the present
                stage that is done and what is done, such as `print`.

        Raises:
            InputError: the data or the settings cannot be used; the message says why, in one line.
        """
        config, data = self.config, _trajectories(data)
        watched = None if new is None else _trajectories(new)
        return self._keep(fitted.fit(config, data, _known(known, data), watched, shown(progress)))

    def save(self, folder: str | Path) -> None:
        """Writes a run folder, as `bouncegrad train --out` does; commands such as `bouncegrad infer` read it.

        Raises:
            InputError: the folder holds files already or cannot be written, or this is not fitted yet.
        """
        self._fitted()
        self.run_.write(folder)

    @classmethod
    def load(cls, folder: str | Path) -> RelationalInference:
        """Returns the fitted estimator of a run folder, which `save` or `bouncegrad train` wrote.

        Its parameters are the settings of the run; those that training chose have the chosen values.

        Raises:
            InputError: the folder holds no run, or its files are damaged or do not fit each other.
        """
        found = fitted.read(folder)
        return cls(**found.run.parameters())._keep(found)

    def score(
        self, data: Trajectories | Float[np.ndarray, "M T N D"], known: Int[np.ndarray, "M N N"] | None = None
    ) -> float:
        """Returns how well later frames of new tasks are predicted; higher is better.

        Edges are inferred from the first half of the frames. The score is the mean log-likelihood of the frames of the
        second half, each predicted from the frame before it, in nats per number, with every variance widened by (0.05
        typical changes)². A number counts -5 nats at least. No true edges are needed. Scores of models that were
        trained on different recordings have different units.

        Args:
            data: tasks that the model was not trained on.
            known: types of edges that need not be found, `[task, source, target]`, -1 where not known.

        Raises:
            InputError: the recordings do not fit the model, or it has no likelihood (`loss: rollout`).
        """
        model, new = self._fitted(), self._named(data)
        return score(model, new, _known(known, new))

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

    def _keep(self, found: Fitted) -> RelationalInference:
        self.model_, self.run_, self.structures_, self.held_out_losses_, self.variants_ = found
        self.history_ = self.run_.rows()
        return self

    def __repr__(self) -> str:
        return repr(self._parameters)

    def _repr_html_(self) -> str | None:
        verdict = self.variants_.verdict if hasattr(self, "variants_") and self.variants_ is not None else None
        return training_page(repr(self), getattr(self, "history_", None), verdict)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        from sklearn.utils import InputTags, Tags, TargetTags  # only scikit-learn asks for this

        return Tags(
            estimator_type=None,
            target_tags=TargetTags(required=False),
            input_tags=InputTags(two_d_array=False, allow_nan=True),
        )

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


# All settings are parameters. `forecast` is one of them and a method, so parameters are no attributes.
RelationalInference.__signature__ = signature()  # type: ignore[attr-defined]


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
