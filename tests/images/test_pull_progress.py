from harness.images.pull_progress import Amount, Transfer


def event(status: str, layer: str = "a", current: int = 0, total: int = 0) -> dict:
    detail = {"current": current, "total": total} if total else {}
    return {"status": status, "id": layer, "progressDetail": detail}


def test_a_pull_and_a_second_try_count_once():
    came: list[Amount] = []
    transfer = Transfer(came.append)
    for one in (
        {"status": "Pulling from ns/x", "id": "latest"},
        event("Pulling fs layer"),
        event("Already exists", "b"),
        event("Downloading", current=40, total=100),
        event("Retrying in 5 seconds"),
        # again from its beginning
        event("Pulling fs layer"),
        event("Downloading", current=10, total=100),
        event("Download complete"),
        event("Extracting", current=100, total=100),
        event("Pull complete"),
        {"status": "Digest: sha256:1"},
    ):
        transfer.event(one)
    assert transfer.amount == Amount(layers_done=2, layers=2, bytes_done=100, bytes=100)
    assert all(min(vars(amount).values()) >= 0 for amount in came)
    assert [sum(column) for column in zip(*(vars(a).values() for a in came), strict=True)] == [2, 2, 100, 100]


def test_a_layer_whose_download_was_not_told_of():
    transfer = Transfer(lambda _: None)
    for one in (event("Pulling fs layer"), event("Extracting", current=50, total=70), event("Pull complete")):
        transfer.event(one)
    assert transfer.amount == Amount(layers_done=1, layers=1, bytes_done=70, bytes=70)
