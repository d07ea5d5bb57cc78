"""Packed rows in a real model: no token sees another document, and masked tokens take no part in the loss."""

import numpy as np
import pytest

from harness.packing.command import pack_command
from harness.packing.request import PackRequest
from harness.packing.store import StoreWriter

torch = pytest.importorskip("torch", reason="needs PyTorch")
transformers = pytest.importorskip("transformers", reason="needs transformers")

DOCUMENTS = [[5, 6, 7, 8, 9, 10, 11], [12, 13, 14, 15], [16, 17], [18, 19, 20, 21, 22, 23]]
CONTEXT, PADDING = 12, 1


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=32, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, use_cache=False
    )
    return transformers.LlamaForCausalLM(config).eval()


@pytest.fixture
def rows(tmp_path):
    import datasets

    with StoreWriter(tmp_path / "c.bin", tmp_path / "c.idx") as writer:
        for ids in DOCUMENTS:
            writer.add(np.array(ids))
    request = PackRequest(
        str(tmp_path / "c"), CONTEXT, strategies=("best-fit",), padding=str(PADDING), output=tmp_path / "out"
    )
    pack_command(request, lambda message: None)
    shards = [str(shard) for shard in (tmp_path / "out" / "best-fit").glob("*.parquet")]
    return datasets.Dataset.from_parquet(shards, keep_in_memory=True).with_format("torch")


def test_each_document_of_a_row_is_answered_as_if_it_were_alone(model, rows):
    seen = []
    for row in rows:
        with torch.no_grad():
            together = model(row["input_ids"][None], position_ids=row["position_ids"][None]).logits[0]
        at = 0
        for length in row["seq_lengths"].tolist():
            piece = row["input_ids"][at : at + length]
            with torch.no_grad():
                alone = model(piece[None]).logits[0]
            torch.testing.assert_close(together[at : at + length], alone, atol=1e-5, rtol=1e-4)
            seen.append(piece.tolist())
            at += length
    assert sorted(piece for piece in seen if set(piece) != {PADDING}) == sorted(DOCUMENTS)


def test_padding_takes_no_part_in_the_loss(model, rows):
    row = max(rows, key=lambda row: int((row["input_ids"] == PADDING).sum()))
    padding = row["input_ids"] == PADDING
    assert padding.any()
    arguments = {"position_ids": row["position_ids"][None], "labels": row["labels"][None]}
    ids = row["input_ids"].clone()
    loss = model(ids[None], **arguments).loss
    ids[padding] = 30
    torch.testing.assert_close(model(ids[None], **arguments).loss, loss)


def test_a_flattened_batch_has_the_loss_of_the_documents_alone(model, rows):
    from harness.packing.reader import flattened

    batch = flattened([{name: value.numpy() for name, value in row.items()} for row in rows])
    assert batch["cu_seq_lens_q"].diff().tolist() == [len(piece) for piece in _pieces(rows)]
    inputs = {name: batch[name] for name in ("input_ids", "labels", "position_ids")}
    with torch.no_grad():
        together = model(**inputs).loss
        alone = [model(torch.tensor([piece]), labels=torch.tensor([piece])).loss for piece in DOCUMENTS]
    weights = torch.tensor([len(piece) - 1.0 for piece in DOCUMENTS])
    torch.testing.assert_close(together, (torch.stack(alone) * weights).sum() / weights.sum())


def _pieces(rows):
    """The pieces of all rows, padding left out."""
    pieces = [piece for row in rows for piece in torch.split(row["input_ids"], row["seq_lengths"].tolist())]
    return [piece.tolist() for piece in pieces if set(piece.tolist()) != {PADDING}]
