"""Real tokens move together and back, and attention among them is as it would be among all."""

import torch

from mm_memgpt.fusion.cross_attention import CrossAttentionFusion
from mm_memgpt.fusion.packing import packing, put_back, taken

MASK = torch.tensor([[True, False, True, True, False], [False, False, False, True, False]])  # b m


def test_the_real_tokens_of_each_row_come_first_in_order():
    assert packing(MASK)[0].tolist() == [0, 2, 3]
    assert packing(MASK)[1, 0].item() == 3
    assert packing(torch.zeros(2, 4, dtype=torch.bool)).shape == (2, 1)


def test_a_row_without_padding_leaves_all_as_it_is():
    assert packing(torch.tensor([[True, True], [True, False]])) is None


def test_what_is_taken_is_put_back_where_it_was():
    tokens = torch.randn(2, 5, 3)
    places = packing(MASK)
    held = taken(tokens, places).masked_fill(~taken(MASK, places).unsqueeze(-1), 0)
    assert torch.equal(put_back(held, places, 5), tokens * MASK.unsqueeze(-1))


def test_packed_cross_attention_is_that_of_all_tokens():
    layer = CrossAttentionFusion(8, 2)
    torch.nn.init.normal_(layer.attention.output.weight)
    tokens, modality = torch.randn(2, 3, 4, 8), torch.tensor([[0, 1, 1], [2, 0, 0]])
    mask = torch.zeros(2, 3, 4, dtype=torch.bool)
    mask[0, 0], mask[0, 1, :2], mask[1, 0, :3], mask[1, 2, 1] = True, True, True, True
    for row in range(2):
        real, kind = mask[row].flatten(), modality[row].repeat_interleave(4)
        x = layer.norm(tokens[row].flatten(0, 1)[real])
        differs = (kind[real].unsqueeze(1) != kind[real].unsqueeze(0)).unsqueeze(0)
        due = tokens[row].flatten(0, 1)[real] + layer.attention(x[None], x[None], differs)[0]
        found = layer(tokens, mask, modality)[row].flatten(0, 1)
        torch.testing.assert_close(found[real], due)
        assert torch.equal(found[~real], tokens[row].flatten(0, 1)[~real])
