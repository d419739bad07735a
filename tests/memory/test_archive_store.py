"""An object store's address does all that a folder does, by the same calls: here one that serves on loopback."""

import threading

import pytest

from mm_memgpt.memory.archive import Archive
from mm_memgpt.memory.archive_rows import Shape
from mm_memgpt.memory.where import Where
from mm_memgpt.types import InputError

SHAPE = Shape(tokens=3, width=4, key_width=5)
NEW = {"shape": SHAPE, "fingerprint": "nano 1", "create": True}


@pytest.fixture
def bucket(monkeypatch):
    """The address of an empty bucket, with the options for it in the environment."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    options = {
        "AWS_ENDPOINT": f"http://{host}:{port}",
        "AWS_ALLOW_HTTP": "true",
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
    }
    for name, value in options.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3", endpoint_url=options["AWS_ENDPOINT"], region_name="us-east-1").create_bucket(Bucket="memories")
    yield "s3://memories"
    server.stop()


def test_an_object_store_keeps_a_memory_as_a_folder_does(bucket, item, tmp_path):
    address = f"{bucket}/trip"
    with pytest.raises(InputError, match="s3://memories/trip: no memory there; mm-memgpt remember INPUT --memory s3"):
        Archive.open(address)
    items = [item(number) for number in range(7)]
    with Archive.open(address, **NEW) as archive:
        archive.add(items[:4])
        archive.add(items[2:])
        assert archive.search(key=items[3].key, text="numbat2", k=2)[0].cosine is not None
        assert [one for _, one in archive.find(Where(source="note"))] == [items[2].id, items[5].id]
        archive.delete([items[0].id])
        archive.purge()
        archive.optimize()
        archive.export(tmp_path / "trip.export")
    with Archive.open(address, fingerprint="nano 1", read_only=True) as archive:
        assert [(stored.order, stored.item.id) for stored in archive.since()] == [
            (order, items[order].id) for order in range(1, 7)
        ]
    with pytest.raises(InputError, match="written by another encoder"):
        Archive.open(address, fingerprint="nano 2")
    with Archive.bring(tmp_path / "trip.export", f"{bucket}/other") as other:
        assert [stored.item.id for stored in other.since()] == [one.id for one in items[1:]]


def test_writers_to_an_object_store_meet_and_lose_nothing(bucket, item):
    address, items = f"{bucket}/trip", [item(number) for number in range(12)]
    archives = [Archive.open(address, **NEW) for _ in range(2)]

    def write(archive: Archive, mine) -> None:
        for one in mine:
            archive.add([one])

    threads = [threading.Thread(target=write, args=(archive, items[at::2])) for at, archive in enumerate(archives)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    there = [stored.item.id for stored in archives[0].since()]
    assert sorted(there) == sorted(one.id for one in items)
    assert [one for one in there if one in [item.id for item in items[::2]]] == [one.id for one in items[::2]]


def test_a_store_that_cannot_be_reached_is_refused_in_one_line(bucket, monkeypatch):
    with pytest.raises(InputError) as caught:
        Archive.open("s3://nowhere/trip", **NEW)
    assert str(caught.value).startswith("s3://nowhere/trip: cannot be ")
    assert "\n" not in str(caught.value)
