"""A memory comes out of fusion as one sequence: unchanged at first, later with what other slots and modalities know."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from mm_memgpt.fusion.fuser import Fused, MultimodalFuser, used_slots
from mm_memgpt.fusion.graph import EDGE_KINDS
from mm_memgpt.types import MIXED_SOURCE, MemoryState

B, S, P, D, K = 2, 6, 3, 8, 5
USED = torch.tensor([[True, False, True, True, False, True], [False, False, True, False, False, True]])


def memory(seed: int = 0) -> MemoryState:
    """Slots as a bank leaves them: a few used ones anywhere, some of their positions without tokens, merged sums."""
    torch.manual_seed(seed)
    count = torch.randint(0, 4, (B, S, P))
    count[..., 0] += 1
    count = count * USED.unsqueeze(-1)
    empty = ~USED
    start = torch.rand(B, S, dtype=torch.float64) * 100 + 1.76e9
    return MemoryState(
        sums=torch.randn(B, S, P, D) * count.unsqueeze(-1),
        count=count,
        key_sums=torch.randn(B, S, K) * USED.unsqueeze(-1),
        items=count.amax(-1),
        time=torch.stack([start, start + 1], -1).masked_fill(empty.unsqueeze(-1), 0),
        modality=torch.tensor([0, 0, 1, 0, 0, 2]).expand(B, S).masked_fill(empty, -1),
        source=torch.tensor([4, 0, 4, MIXED_SOURCE, 0, 1]).expand(B, S).masked_fill(empty, MIXED_SOURCE),
        arrival=torch.tensor([5, 0, 2, 9, 0, 4]).expand(B, S).masked_fill(empty, -1),
        similarity=torch.randn(B, S, S),
    )


def moved(state: MemoryState, order: list[int]) -> MemoryState:
    *parts, similarity = state
    return MemoryState(*(part[:, order] for part in parts), similarity[:, order][:, :, order])


def fuser(output: str = "random", layers: int = 1) -> MultimodalFuser:
    torch.manual_seed(1)
    module = MultimodalFuser(D, 2, layers)
    if output == "random":
        for name, parameter in module.named_parameters():
            if name.endswith(("output.weight", "null")):
                nn.init.normal_(parameter)
    return module


def assert_same(one: Fused, other: Fused) -> None:
    for name, part in one._asdict().items():
        torch.testing.assert_close(part, getattr(other, name), msg=lambda text, name=name: f"{name}: {text}")


def test_at_first_the_tokens_are_the_used_slots_by_arrival_to_the_bit():
    state = memory()
    fused = fuser("zero", layers=2)(state)
    assert fused.tokens.shape == (B, 4 * P, D)
    for b, slots in enumerate(([2, 5, 0, 3], [2, 5])):
        mask = torch.cat([state.count[b, slots].flatten() > 0, torch.zeros((4 - len(slots)) * P, dtype=torch.bool)])
        assert torch.equal(fused.mask[b], mask)
        real = state.count[b, slots] > 0
        assert torch.equal(fused.tokens[b][mask], (state.sums[b, slots] / state.count[b, slots].unsqueeze(-1))[real])
        assert fused.tokens[b][~mask].abs().max() == 0
    assert fused.readout.shape == (B, D)
    assert fused.alignment is None


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(S)), seed=st.integers(0, 3))
def test_where_the_bank_put_a_slot_changes_nothing(order, seed):
    state, module = memory(seed), fuser()
    assert_same(module(moved(state, order), alignment=True), module(state, alignment=True))


def test_relations_follow_their_slots_and_add_edges():
    state, module, order = memory(), fuser(), [4, 2, 0, 5, 1, 3]
    relations = torch.zeros(B, S, S)
    relations[0, 0, 5] = relations[1, 2, 5] = 1
    fused = module(state, relations)
    assert_same(
        module(moved(state, order), relations[:, order][:, :, order], alignment=True), module(state, relations, True)
    )
    assert not torch.allclose(fused.tokens, module(state).tokens)


def test_edges_are_told_by_the_places_of_the_slots_with_what_each_receives():
    state, module = memory(), fuser()
    before = module.edges(state)
    connected = (before.kinds != 0).any(-1) | torch.eye(S, dtype=torch.bool)
    assert before.kinds.shape == (B, S, S, len(EDGE_KINDS))
    assert torch.equal(before.shares[USED] > 0, connected[USED])
    torch.testing.assert_close(before.shares[USED].sum(-1), torch.ones(int(USED.sum())))
    b, i, j = (~connected & USED.unsqueeze(-1) & USED.unsqueeze(-2)).nonzero()[0].tolist()
    relations = torch.zeros(B, S, S)
    relations[b, i, j] = 1
    told = module.edges(state, relations)
    assert told.kinds[..., EDGE_KINDS.index("relation")].nonzero().tolist() == [[b, i, j]]
    assert told.shares[b, i, j] > 0
    assert told.shares[b, j, i] == 0


def test_without_messages_nothing_is_shared():
    assert fuser(layers=0).edges(memory()).shares.abs().max() == 0


def test_empty_slots_and_what_lies_in_padding_change_nothing():
    state, module = memory(), fuser()
    alone = MemoryState(*(part[1:, [2, 5]] for part in state[:-1]), state.similarity[1:, [2, 5]][:, :, [2, 5]])
    together = module(state)
    apart = module(alone)
    torch.testing.assert_close(together.tokens[1, : 2 * P], apart.tokens[0])
    torch.testing.assert_close(together.readout[1], apart.readout[0])
    spoiled = state.sums.masked_fill(state.count.unsqueeze(-1) == 0, torch.nan)
    assert_same(module(state._replace(sums=spoiled)), together)


def test_a_lone_photo_costs_one_slot_and_an_empty_memory_reads_as_nothing():
    state, module = memory(), fuser()
    photo = MemoryState(*(part[:, [0, 1, 4]] for part in state[:-1]), torch.zeros(B, 3, 3))  # row 1 is all empty
    fused = module(photo, alignment=True)
    assert fused.tokens.shape == (B, P, D)
    assert all(part.isfinite().all() for part in fused)
    assert fused.mask.any(-1).tolist() == [True, False]
    torch.testing.assert_close(fused.readout[1], module.readout.output(module.readout.null[1].flatten()))


def test_what_is_heard_changes_what_is_seen_and_the_summary():
    tokens = {"image": torch.randn(2, 4, D), "audio": torch.randn(2, 3, D)}
    louder = {**tokens, "audio": tokens["audio"] + torch.randn(2, 3, D)}
    for module, crosses in ((fuser("zero"), False), (fuser(layers=0), True), (fuser(), True)):
        before, after = module.fuse(tokens), module.fuse(louder)
        assert torch.equal(before.tokens[:, :4], after.tokens[:, :4]) is not crosses
        assert not torch.allclose(before.readout, after.readout)


def test_gradients_reach_every_parameter_and_every_real_token():
    state = memory()
    sums, key_sums = state.sums.clone().requires_grad_(), state.key_sums.clone().requires_grad_()
    module = fuser(layers=2)
    fused = module(state._replace(sums=sums, key_sums=key_sums))
    (fused.tokens.square().sum() + fused.readout.square().sum()).backward()
    missed = [name for name, parameter in module.named_parameters() if not parameter.grad.abs().max() > 0]
    assert missed == []
    assert torch.equal(sums.grad.abs().amax(-1) > 0, state.count > 0)
    assert torch.equal(key_sums.grad.abs().amax(-1) > 0, USED)


def test_at_first_only_the_zero_projections_and_the_readout_learn():
    module = fuser("zero")
    fused = module(memory())
    fused.tokens.square().sum().backward()
    learns = {name for name, p in module.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert learns == {"graph.layers.0.output.weight", "cross_attention.attention.output.weight"}


def test_gradients_are_right_in_float64():
    state, module = memory(), fuser().double()

    def run(sums: torch.Tensor, key_sums: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        fused = module(state._replace(sums=sums, key_sums=key_sums))
        return fused.tokens, fused.readout

    assert torch.autograd.gradcheck(
        run, (state.sums.double().requires_grad_(), state.key_sums.double().requires_grad_()), fast_mode=True
    )


def test_a_memory_kept_in_float64_fuses_in_the_modules_own_precision():
    state, module = memory(), fuser()
    exact = module(state._replace(sums=state.sums.double(), key_sums=state.key_sums.double()))
    assert exact.tokens.dtype == torch.float32
    assert_same(exact, module(state))
    half = module.bfloat16()(state)
    assert half.tokens.dtype == half.readout.dtype == torch.bfloat16


def test_alignment_shows_which_tokens_of_other_modalities_were_read():
    tokens = {"image": torch.randn(2, 4, D), "audio": torch.randn(2, 3, D), "smell": torch.randn(2, 1, D)}
    masks = {"audio": torch.tensor([[True, True, False], [False, False, False]])}
    fused = fuser().fuse(tokens, masks, alignment=True)
    assert fused.alignment.shape == (2, 8, 8)
    audio, smell = [4, 5, 6], [7]
    for b, heard in enumerate(([4, 5], [])):
        for row in range(4):
            assert fused.alignment[b, row].nonzero().flatten().tolist() == heard + smell
        assert fused.alignment[b, smell[0]].nonzero().flatten().tolist() == [0, 1, 2, 3, *heard]
        assert fused.alignment[b, [row for row in audio if row not in heard]].abs().sum() == 0


def test_alone_it_returns_the_tokens_in_the_order_given_and_unpadded():
    tokens = {"text": torch.randn(2, 2, D), "image": torch.randn(2, 4, D), "lidar": torch.randn(2, 3, D)}
    fused = fuser("zero").fuse(tokens)
    for given_tokens, back in zip(tokens.values(), fused.tokens.split([2, 4, 3], dim=1), strict=True):
        assert torch.equal(back, given_tokens)
    assert fused.mask.all()


def test_alone_padding_and_the_order_of_modalities_change_nothing():
    image, audio = torch.randn(2, 4, D), torch.randn(2, 3, D)
    module = fuser()
    fused = module.fuse({"image": image, "audio": audio})
    padded = torch.cat([audio, torch.full((2, 2, D), 1e3)], dim=1)
    mask = torch.tensor([[True] * 3 + [False] * 2] * 2)
    again = module.fuse({"audio": padded, "image": image}, masks={"audio": mask})
    torch.testing.assert_close(again.tokens[:, 5:], fused.tokens[:, :4])
    torch.testing.assert_close(again.tokens[:, :3], fused.tokens[:, 4:])
    torch.testing.assert_close(again.readout, fused.readout)


def test_alone_relations_add_edges_between_modalities():
    tokens = {"image": torch.randn(2, 4, D), "audio": torch.randn(2, 3, D)}
    fused = fuser().fuse(tokens, relations=torch.ones(2, 2, 2))
    assert not torch.allclose(fused.tokens, fuser().fuse(tokens).tokens)


def test_used_slots_keeps_every_part_of_the_state_together():
    state = memory()
    used, relations = used_slots(state, state.similarity)
    assert used.arrival.tolist() == [[2, 4, 5, 9], [2, 4, -1, -1]]
    assert torch.equal(used.sums[0], state.sums[0, [2, 5, 0, 3]])
    assert torch.equal(used.similarity[0], state.similarity[0][[2, 5, 0, 3]][:, [2, 5, 0, 3]])
    assert torch.equal(relations, used.similarity)


@pytest.mark.parametrize(
    ("tokens", "masks", "message"),
    [
        ({}, None, r"nothing to fuse: give at least one modality"),
        ({"image": (2, 4, 9)}, None, r"image tokens \(2, 4, 9\) must be .* \(2, any, 8\); project them .* width 8"),
        ({"image": (2, 4, 8), "audio": (3, 4, 8)}, None, r"audio tokens \(3, 4, 8\) must be .* \(2, any, 8\)"),
        ({"image": (2, 4, 8)}, {"image": (2, 3)}, r"image mask \(2, 3\) must be \(2, 4\), True where a token is real"),
        ({"image": (2, 4, 8)}, {"sound": (2, 4)}, r"a mask for 'sound', which has no tokens; .* given: image"),
    ],
)
def test_what_does_not_fit_together_is_refused(tokens, masks, message):
    tokens = {name: torch.randn(shape) for name, shape in tokens.items()}
    masks = masks and {name: torch.ones(shape, dtype=torch.bool) for name, shape in masks.items()}
    with pytest.raises(ValueError, match=message):
        fuser().fuse(tokens, masks)


def test_a_memory_of_another_width_or_other_relations_are_refused():
    with pytest.raises(ValueError, match=r"memory width 8 is not the fuser's 12; build both alike"):
        MultimodalFuser(12, 2)(memory())
    with pytest.raises(ValueError, match=r"relations \(2, 4, 4\) must be \(batch, slots, slots\) = \(2, 6, 6\)"):
        fuser()(memory(), torch.ones(2, 4, 4))


def test_without_cross_attention_a_modality_reads_no_other_and_there_is_nothing_to_align():
    fuser = MultimodalFuser(8, 2, graph_layers=0, cross_attention=False)
    assert not any("cross_attention" in name for name, _ in fuser.named_parameters())
    tokens = {"image": torch.randn(2, 3, 8), "text": torch.randn(2, 4, 8)}
    assert torch.equal(fuser(tokens).tokens, torch.cat(list(tokens.values()), dim=1))
    with pytest.raises(ValueError, match=r"no cross-attention to align by; set fusion\.cross_attention"):
        fuser(tokens, alignment=True)
