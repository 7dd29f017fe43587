"""Fits the track of an entity that was not recorded: Gauss-Newton steps on its states in all frames at once.

    e_t = Δx_t - mean(x_t)     of every entity; the law of the unseen entity couples its frames
    (JᵀWJ + λ diag) step = JᵀW e,     W = exp(-log variance)

A change depends on two neighbouring frames only. So JᵀWJ is a band of blocks, and the cost of a step is proportional to
the number of frames. Derivatives are differences of the modules' outputs. This needs little memory, so many tracks are
fitted side by side.

Source: Levenberg 1944, Marquardt 1963.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from bouncegrad.core.compositions.graph import GraphComposition
from bouncegrad.core.heads import LOG_2PI, gaussian_loss

NUDGE = 1e-2  # in scaled units: far above rounding errors, and laws are nearly linear within it
DAMPING, SHRINK, GROW = 1e-2, 3.0, 5.0  # the first damping, and its factors after a good and after a bad step
LEAST, MOST = 1e-6, 1e3  # limits of the damping, so that it can change again within a few steps
RIDGE = 1e-6  # of the mean diagonal, so that the matrix can be factorized if a state has no effect on the cost


class Residuals(NamedTuple):
    """The observed minus the predicted change in each step, in units of a typical change, with its log-variance."""

    error: Float[Tensor, "B T-1 N D"]
    log_variance: Float[Tensor, "B T-1 N D"]

    @property
    def cost(self) -> Float[Tensor, " B"]:
        """The sum of negative log-densities, without constants."""
        return gaussian_loss(self.error, self.log_variance, constant=0.0).sum((1, 2, 3))

    @property
    def misfit(self) -> Float[Tensor, " B"]:
        """The mean square of the errors, in units of their standard deviation."""
        return (self.error.square() * torch.exp(-self.log_variance)).mean((1, 2, 3))

    def allowed(self, slack: float) -> Float[Tensor, " B"]:
        """Returns the expected misfit if only the law's own variance, without the slack, remains."""
        return (1 - slack**2 * torch.exp(-self.log_variance)).clamp(min=0).mean((1, 2, 3))

    @property
    def loss(self) -> Float[Tensor, " B"]:
        """The cost per number, with constants, as in training."""
        return self.cost / self.error[0].numel() + LOG_2PI / 2


class TrackFit:
    """Fits tracks of unseen entities, which come after the visible ones.

    Args:
        composition: trained modules on all N = V + H entities, without lags.
        visible: scaled states of the visible entities.
        hidden: first tracks of the unseen ones; every `step` replaces them by better ones.
    """

    def __init__(
        self,
        composition: GraphComposition,
        visible: Float[Tensor, "B T V D"],
        hidden: Float[Tensor, "B T H D"],
    ) -> None:
        self.composition, self.visible, self.hidden = composition, visible, hidden
        self.damping = torch.full((len(visible),), DAMPING, device=visible.device)

    @property
    def tracks(self) -> Float[Tensor, "B T N D"]:
        """The tracks of all entities."""
        return torch.cat([self.visible, self.hidden], 2)

    def only(self, rows: Int[Tensor, " rows"]) -> TrackFit:
        """Returns the fit of these rows only, with their tracks and damping."""
        kept = TrackFit(self.composition, self.visible[rows], self.hidden[rows])
        kept.damping = self.damping[rows]
        return kept

    def residuals(self, hidden: Float[Tensor, "B T H D"], z: Int[Tensor, "B E"]) -> Residuals:
        """Returns the residuals with these tracks of the unseen entities."""
        x = torch.cat([self.visible, hidden], 2)
        mean, log_variance = self.composition.predict_change(x[:, :-1], z)
        return Residuals((x[:, 1:] - x[:, :-1]) / self.composition.change - mean, log_variance)

    @torch.no_grad()
    def step(self, z: Int[Tensor, "B E"]) -> Bool[Tensor, " B"]:
        """Tries one damped step with these structures; rows keep it if it lowers their cost, else their damping grows.

        Returns:
            Which rows kept the step.
        """
        now = self.residuals(self.hidden, z)
        blocks, couplings, slope = self.normal_equations(now, z)
        diagonal = blocks.diagonal(dim1=2, dim2=3)
        ridge = RIDGE * diagonal.mean((1, 2), keepdim=True)
        damped = blocks + torch.diag_embed(self.damping.double()[:, None, None] * diagonal + ridge)
        moved = self.hidden - solve_band(damped, couplings, slope).to(self.hidden.dtype).view_as(self.hidden)
        better = self.residuals(moved, z).cost < now.cost
        self.hidden = torch.where(better[:, None, None, None], moved, self.hidden)
        self.damping = torch.where(better, self.damping / SHRINK, self.damping * GROW).clamp(LEAST, MOST)
        return better

    def normal_equations(
        self, now: Residuals, z: Int[Tensor, "B E"]
    ) -> tuple[Float[Tensor, "B T q q"], Float[Tensor, "B T-1 q q"], Float[Tensor, "B T q"]]:
        """Returns JᵀWJ as blocks on the diagonal and right of it, and JᵀWe; a frame has q = H D numbers."""
        b, t, h, d = self.hidden.shape
        v = self.visible.shape[2]
        columns = []
        for i in range(h):
            for j in range(d):
                nudged = self.hidden.clone()
                nudged[:, :, i, j] += NUDGE
                columns.append((self.residuals(nudged, z).error - now.error) / NUDGE)
        # The nudge also moves the next frame of the unseen entities; the derivative to this frame excludes that.
        after = torch.diag(1 / self.composition.change.repeat(h))
        own = torch.stack(columns, -1)
        before = own.clone()
        before[:, :, v:] = before[:, :, v:] - after.view(h, d, h * d)
        weight = torch.exp(-now.log_variance)
        own_weight, error = weight[:, :, v:].flatten(2), now.error[:, :, v:].flatten(2)
        blocks = self.hidden.new_zeros(b, t, h * d, h * d, dtype=torch.float64)
        slope = self.hidden.new_zeros(b, t, h * d, dtype=torch.float64)
        blocks[:, :-1] += torch.einsum("btndp,btnd,btndq->btpq", before, weight, before)
        blocks[:, 1:] += torch.einsum("ip,bti,iq->btpq", after, own_weight, after)
        slope[:, :-1] += torch.einsum("btndp,btnd->btp", before, weight * now.error)
        slope[:, 1:] += torch.einsum("ip,bti->btp", after, own_weight * error)
        couplings = torch.einsum("btip,bti,iq->btpq", before[:, :, v:].flatten(2, 3), own_weight, after).double()
        return blocks, couplings, slope


def solve_band(
    blocks: Float[Tensor, "B T q q"], couplings: Float[Tensor, "B T-1 q q"], right: Float[Tensor, "B T q"]
) -> Float[Tensor, "B T q"]:
    """Solves `couplings_{t-1}ᵀ x_{t-1} + blocks_t x_t + couplings_t x_{t+1} = right_t` for x.

    The matrix is symmetric and positive definite. Forward elimination is followed by back substitution, frame by frame
    for all B systems at once.
    """
    factors, reduced = [torch.linalg.cholesky(blocks[:, 0])], [right[:, 0, :, None]]
    for t in range(couplings.shape[1]):
        eliminated = torch.cholesky_solve(torch.cat([couplings[:, t], reduced[t]], -1), factors[t])
        below = couplings[:, t].transpose(1, 2) @ eliminated
        factors.append(torch.linalg.cholesky(blocks[:, t + 1] - below[..., :-1]))
        reduced.append(right[:, t + 1, :, None] - below[..., -1:])
    found = [torch.cholesky_solve(reduced[-1], factors[-1])]
    for t in range(couplings.shape[1] - 1, -1, -1):
        found.append(torch.cholesky_solve(reduced[t] - couplings[:, t] @ found[-1], factors[t]))
    return torch.stack(found[::-1], 1)[..., 0]
