import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bouncegrad.core.modules import ModulePool
from bouncegrad.core.optimizers import Muon


def pool(path: str, activation: str = "silu", modules: int = 3) -> ModulePool:
    return ModulePool(modules, (4, 6, 5, 2), torch.Generator().manual_seed(0), activation, path)


@given(st.integers(0, 40), st.integers(1, 4), st.sampled_from(["silu", "relu"]), st.integers(0, 2**31))
@settings(deadline=None, max_examples=40)
def test_grouped_dense_and_row_by_row_are_equal(rows: int, modules: int, activation: str, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 4, generator=generator)
    which = torch.randint(modules, (rows,), generator=generator)
    grouped, dense = pool("grouped", activation, modules), pool("dense", activation, modules)
    single = [grouped.one(x[r : r + 1], int(which[r])) for r in range(rows)]
    expected = torch.cat(single) if rows else torch.zeros(0, 2)
    torch.testing.assert_close(grouped(x, which), expected)
    torch.testing.assert_close(dense(x, which), expected)


def test_gradients_are_equal_and_only_of_used_modules() -> None:
    """Users reported gradients that were missing or wrong."""
    x, which = torch.randn(9, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 2] * 4 + [0])
    gradients = []
    for path in ("grouped", "dense"):
        net = pool(path)
        net(x, which).square().sum().backward()
        gradients.append([p.grad for p in net.parameters()])
        assert all(torch.count_nonzero(p.grad[1]) == 0 for p in net.parameters())
        assert all(torch.count_nonzero(p.grad[0]) > 0 for p in net.parameters())
    for a, b in zip(*gradients, strict=True):
        torch.testing.assert_close(a, b)


def test_known_weights_give_known_values() -> None:
    net = ModulePool(2, (1, 1), torch.Generator().manual_seed(0))
    with torch.no_grad():
        net.weights[0][:, 0, 0] = torch.tensor([2.0, 10.0])
        net.biases[0][:, 0, 0] = torch.tensor([1.0, 0.0])
    assert net(torch.tensor([[3.0], [3.0]]), torch.tensor([0, 1])).flatten().tolist() == [7.0, 30.0]


def test_all_evaluates_every_module_and_keeps_its_input() -> None:
    net, x = pool("grouped"), torch.randn(5, 4, generator=torch.Generator().manual_seed(2))
    before = x.clone()
    with torch.no_grad():
        every = net.all(x)
    assert torch.equal(x, before)
    for k in range(3):
        torch.testing.assert_close(every[k], net.one(x, k))


def with_shortcut(path: str = "grouped") -> ModulePool:
    generator = torch.Generator().manual_seed(4)
    net = ModulePool(3, (4, 6, 5, 2), torch.Generator().manual_seed(0), path=path, shortcut=True)
    with torch.no_grad():
        net.shortcut.copy_(torch.randn(net.shortcut.shape, generator=generator))
    return net


def test_a_new_shortcut_changes_nothing() -> None:
    x, which = torch.randn(9, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 2, 1] * 3)
    new = ModulePool(3, (4, 6, 5, 2), torch.Generator().manual_seed(0), shortcut=True)
    assert torch.equal(new(x, which), pool("grouped")(x, which))


def test_a_shortcut_adds_a_linear_function_of_the_inputs_on_every_path() -> None:
    x, which = torch.randn(9, 4, generator=torch.Generator().manual_seed(1)), torch.tensor([0, 2, 1] * 3)
    net = with_shortcut()
    expected = pool("grouped")(x, which) + torch.stack([x[r] @ net.shortcut[which[r]] for r in range(9)])
    every = [net(x, which), with_shortcut("dense")(x, which), net.all(x)[which, torch.arange(9)]]
    every.append(torch.stack([net.through(net.each()[which[r]], x[r : r + 1])[0] for r in range(9)]))
    for found in every:
        torch.testing.assert_close(found, expected)


def test_a_shortcut_refuses_what_its_later_layers_see() -> None:
    with pytest.raises(ValueError, match="a shortcut needs the inputs"):
        with_shortcut().layers(torch.zeros(3, 1, 6), first=1)


@pytest.mark.parametrize("seed", [0, 1])
def test_weights_come_from_the_generator(seed: int) -> None:
    a, b = (ModulePool(2, (3, 4), torch.Generator().manual_seed(s)) for s in (0, seed))
    assert torch.equal(a.weights[0], b.weights[0]) == (seed == 0)


def test_brought_together_modules_keep_their_mean_and_a_share_of_their_differences() -> None:
    pool = ModulePool(3, (4, 5, 2), torch.Generator().manual_seed(0))
    optimizer = Muon(pool.parameters())
    pool.all(torch.randn(6, 4, generator=torch.Generator().manual_seed(1))).square().sum().backward()
    optimizer.step()
    before = [parameter.detach().clone() for parameter in pool.parameters()]
    pool.bring_together(0.1, optimizer)
    for parameter, old in zip(pool.parameters(), before, strict=True):
        torch.testing.assert_close(parameter.mean(0), old.mean(0))
        torch.testing.assert_close(parameter[1] - parameter[0], 0.1 * (old[1] - old[0]), atol=1e-6, rtol=1e-4)
        for value in optimizer.state[parameter].values():
            if isinstance(value, torch.Tensor):
                assert torch.equal(value[0], value[2])
