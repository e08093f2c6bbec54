import json
import os
import threading
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as project
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from catalog.logo_files import (
    AT_ONCE,
    StorageError,
    StoredFile,
    logo_models,
    logo_store,
    named_among,
    named_keys,
    printable,
)
from catalog.logos import logo_key, read_logo, save_logo_file
from catalog.models import Network, ProductionCompany, WatchProvider
from catalog.storage import WholeFileStorage
from catalog.tests.pictures import draw
from catalog.tests.stores import BUCKET, BucketStore, FolderStore, Store, bucket_store, folder_store, s3_storage

pytestmark = pytest.mark.once

OUTSIDE = ("images/logo.png", "images/logos.png", "images/logosets/a.png", "backups/db.sqlite3", "a.png")


@pytest.fixture
def folder(settings: Any, tmp_path: Path) -> Iterator[FolderStore]:
    with folder_store(settings, tmp_path / "media") as store:
        yield store


@pytest.fixture
def bucket(settings: Any) -> Iterator[BucketStore]:
    with bucket_store(settings) as store:
        yield store


@pytest.fixture(params=["folder", "bucket"])
def store(request: Any) -> Store:
    return request.getfixturevalue(request.param)


def key(number: int, kind: str = "networks") -> str:
    return f"images/logos/{kind}/{number:05}/a.png"


def listed() -> dict[str, StoredFile]:
    return {file.key: file for file in logo_store().files()}


# --- what is there


def test_every_file_of_the_folder_is_listed_with_its_size_and_nothing_beside_it(store: Store) -> None:
    for name in (key(1), key(2, "watch_providers"), "images/logos/networks/1/.x.part", *OUTSIDE):
        store.put(name, b"four")

    files = listed()

    assert set(files) == {key(1), key(2, "watch_providers"), "images/logos/networks/1/.x.part"}
    assert {file.bytes for file in files.values()} == {4}
    assert str(logo_store()) == store.place


def test_the_age_of_a_file_is_that_of_its_last_storing(store: Store) -> None:
    store.put(key(1), days=10)
    store.put(key(2), days=2)

    files = listed()

    assert files[key(2)].modified - files[key(1)].modified == pytest.approx(8 * 86_400, abs=10)


def test_where_no_logo_was_ever_stored_there_is_no_file(store: Store) -> None:
    assert listed() == {}
    assert logo_store().unchanged([]) == []
    assert logo_store().delete([]) == {}
    logo_store().remove_empty_folders()


def test_a_bucket_is_listed_page_by_page_to_its_end(bucket: BucketStore) -> None:
    for number in range(2 * AT_ONCE + 1):
        bucket.put(key(number))

    assert len(listed()) == 2 * AT_ONCE + 1
    assert [name for name, _ in bucket.calls] == ["ListObjectsV2"] * 3
    assert {params["Prefix"] for _, params in bucket.calls} == {"images/logos/"}


def test_a_folder_that_a_console_made_in_a_bucket_is_no_file(bucket: BucketStore) -> None:
    for name in ("images/logos/", "images/logos/networks/", key(1)):
        bucket.put(name)

    assert set(listed()) == {key(1)}


def test_a_link_is_listed_for_itself_and_never_followed(folder: FolderStore, tmp_path: Path) -> None:
    folder.put(key(1))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "thesis.txt").write_text("years of work")
    root = folder.media / "images/logos"
    (root / "networks/link").symlink_to(tmp_path / "elsewhere")
    (root / "networks/00001/thesis").symlink_to(tmp_path / "elsewhere" / "thesis.txt")

    files = listed()
    logo_store().delete(list(files.values()))

    assert set(files) == {key(1), "images/logos/networks/00001/thesis"}
    assert (tmp_path / "elsewhere" / "thesis.txt").read_text() == "years of work"


# --- what is there still


def test_a_file_that_is_gone_or_was_stored_again_is_not_unchanged(store: Store) -> None:
    for number in range(4):
        store.put(key(number))
    files = list(listed().values())
    logo_store().delete([file for file in files if file.key == key(0)])
    store.put(key(2), days=0)

    assert {file.key for file in logo_store().unchanged(files)} == {key(1), key(3)}


def test_a_bucket_is_asked_for_the_pages_between_the_first_and_the_last_alone(bucket: BucketStore) -> None:
    for number in range(3 * AT_ONCE):
        bucket.put(key(number))
    files = listed()
    bucket.calls.clear()
    some = [files[key(number)] for number in (AT_ONCE + 500, AT_ONCE + 7)]

    assert logo_store().unchanged(some) == some
    assert [name for name, _ in bucket.calls] == ["ListObjectsV2"]


# --- deletion


def test_what_is_deleted_is_gone_and_the_rest_stays(store: Store) -> None:
    for name in (key(1), key(2), key(3), *OUTSIDE):
        store.put(name)
    files = listed()

    refused = logo_store().delete([files[key(1)], files[key(3)]])

    assert refused == {}
    assert store.stored() == {key(2), *OUTSIDE}


def test_a_file_that_another_has_deleted_is_no_failure(store: Store) -> None:
    store.put(key(1))
    files = list(listed().values())

    assert [logo_store().delete(files) for _ in range(2)] == [{}, {}]


def test_a_thousand_objects_go_with_one_request(bucket: BucketStore) -> None:
    for number in range(AT_ONCE):
        bucket.put(key(number))
    files = list(listed().values())
    bucket.calls.clear()

    assert logo_store().delete(files) == {}
    assert bucket.stored() == set()
    assert [name for name, _ in bucket.calls] == ["DeleteObjects"]


@pytest.mark.parametrize("outside", OUTSIDE)
def test_a_key_outside_the_folder_is_refused_with_all_that_came_with_it(store: Store, outside: str) -> None:
    store.put(key(1))
    store.put(outside)

    with pytest.raises(ValueError, match="is not under images/logos/"):
        logo_store().delete([StoredFile(key(1), 1, 0), StoredFile(outside, 1, 0)])

    assert store.stored() == {key(1), outside}


def test_an_object_that_the_bucket_keeps_is_named_with_the_reason_and_the_others_go(bucket: BucketStore) -> None:
    for number in range(3):
        bucket.put(key(number))
    bucket.keep(key(1))

    refused = logo_store().delete(list(listed().values()))

    assert refused == {key(1): "AccessDenied: Access Denied"}
    assert bucket.stored() == {key(1)}


def test_a_file_that_the_system_keeps_is_named_with_the_reason_and_the_others_go(
    folder: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        folder.put(key(number))
    really_unlink = Path.unlink

    def unlink(path: Path, **kwargs: Any) -> None:
        if path.match("*/00001/*"):
            raise PermissionError(1, "Operation not permitted")
        really_unlink(path, **kwargs)

    monkeypatch.setattr(Path, "unlink", unlink)  # root, as whom tests may run, is refused nothing

    refused = logo_store().delete(list(listed().values()))

    assert refused == {key(1): "Operation not permitted"}
    assert folder.stored() == {key(1)}


def test_empty_folders_go_and_the_others_stay(folder: FolderStore) -> None:
    folder.put(key(1))
    folder.put("images/other/a.png")
    for name in ("logos/networks/2", "logos/watch_providers/1/2/3", "other/empty"):
        (folder.media / "images" / name).mkdir(parents=True)

    logo_store().remove_empty_folders()

    left = {path.relative_to(folder.media / "images").as_posix() for path in folder.media.rglob("*") if path.is_dir()}
    assert left == {".", "logos", "logos/networks", "logos/networks/00001", "other", "other/empty"}


def test_a_logo_is_stored_though_its_folder_is_removed_again_and_again(folder: FolderStore) -> None:
    store, done, turns = logo_store(), threading.Event(), []

    def remove() -> None:
        while not done.is_set():
            store.remove_empty_folders()
            turns.append(1)

    remover = threading.Thread(target=remove)
    remover.start()
    try:
        for number in range(300):
            default_storage.delete(default_storage.save(key(number), ContentFile(b"a logo")))
    finally:
        done.set()
        remover.join()

    assert turns
    assert folder.stored() == set()


# --- what can't be worked with


def test_a_bucket_out_of_reach_is_an_error_in_words_without_its_address(settings: Any) -> None:
    settings.STORAGES = settings.STORAGES | {"default": s3_storage("http://user:hidden@127.0.0.1:9", settings)}
    file = StoredFile(key(1), 1, 0)
    tries: list[Callable[[], Any]] = [
        listed,
        lambda: logo_store().unchanged([file]),
        lambda: logo_store().delete([file]),
    ]

    for attempt in tries:
        with pytest.raises(StorageError) as caught:
            attempt()
        assert str(caught.value).startswith("the bucket trr-files can't be ")
        assert "no connection (EndpointConnectionError) (AWS_S3_BUCKET, AWS_REGION" in str(caught.value)
        assert "hidden" not in str(caught.value)

    default_storage.connection.meta.client.close()  # type: ignore[attr-defined]


def test_a_bucket_that_does_not_exist_is_an_error_in_words(bucket: BucketStore) -> None:
    bucket.remove()

    with pytest.raises(StorageError, match="the bucket trr-files can't be listed: NoSuchBucket: The specified bucket"):
        listed()


def test_missing_keys_to_a_bucket_are_an_error_in_words(
    bucket: BucketStore, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    storage = s3_storage(bucket.url, settings)
    storage["OPTIONS"] |= {"access_key": None, "secret_key": None}
    settings.STORAGES = settings.STORAGES | {"default": storage}

    with pytest.raises(StorageError, match="can't be listed: Unable to locate credentials"):
        listed()


def test_a_folder_that_can_not_be_read_is_an_error_and_not_an_empty_one(folder: FolderStore) -> None:
    folder.put("images/logos", b"a file where the folder should be")

    with pytest.raises(StorageError, match=r"/media/images/logos can't be read: Not a directory \(MEDIA_ROOT\)"):
        listed()


# --- who names a file


@pytest.mark.django_db
def test_a_key_is_named_by_any_row_of_any_kind_also_by_a_merged_one() -> None:
    target = Network.objects.create(id=1, name="A", hosted_logo_key=key(1))
    Network.objects.create(id=2, name="B", hosted_logo_key=key(2), merged_into=target)
    Network.objects.create(id=3, name="C")
    ProductionCompany.objects.create(id=1, name="D", hosted_logo_key=key(1, "production_companies"))
    WatchProvider.objects.create(provider_id=1, provider_name="E", hosted_logo_key=key(1, "watch_providers"))
    named = {key(1), key(2), key(1, "production_companies"), key(1, "watch_providers")}

    assert set(named_keys()) == named
    assert named_among([*named, key(3)]) == named
    assert named_among([]) == set()


def test_every_model_with_a_logo_is_asked() -> None:
    assert set(logo_models()) == {Network, ProductionCompany, WatchProvider}


@pytest.mark.django_db
def test_a_file_whose_name_is_no_text_is_named_by_no_row(folder: FolderStore) -> None:
    folder.put(key(1))
    odd = os.fsdecode(b"images/logos/networks/00001/\xff\n.png")
    folder.put(odd)

    assert set(listed()) == {key(1), odd}
    assert named_among(listed()) == set()
    assert printable(odd) == "images/logos/networks/00001/\\udcff\\n.png"
    assert printable(key(1)) == key(1)


# --- what S3 must allow


def allows(policy: dict[str, Any], action: str, resource: str, prefix: str | None = None) -> bool:
    """Whether the policy allows it, as IAM reads its few words."""
    for statement in policy["Statement"]:
        assert set(statement) <= {"Sid", "Effect", "Action", "Resource", "Condition"}
        assert statement["Effect"] == "Allow"
        actions = [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        condition = statement.get("Condition", {})
        assert condition in ({}, {"StringLike": {"s3:prefix": "images/logos/*"}})
        fits = not condition or (prefix is not None and fnmatchcase(prefix, "images/logos/*"))
        if action in actions and fnmatchcase(resource, statement["Resource"]) and fits:
            return True
    return False


def needs(name: str, params: dict[str, Any]) -> Iterator[tuple[str, str, str | None]]:
    """The permissions of a call: action, resource, and of a listing the prefix."""
    if name == "ListObjectsV2":
        yield "s3:ListBucket", f"arn:aws:s3:::{params['Bucket']}", params.get("Prefix")
    elif name == "DeleteObjects":
        for one in params["Delete"]["Objects"]:
            yield "s3:DeleteObject", f"arn:aws:s3:::{params['Bucket']}/{one['Key']}", None
    else:
        action = {"HeadObject": "GetObject"}.get(name, name)
        yield f"s3:{action}", f"arn:aws:s3:::{params['Bucket']}/{params['Key']}", None


@pytest.fixture
def policy() -> dict[str, Any]:
    text = (Path(project.BASE_DIR) / "deploy" / "s3-policy.json").read_text()
    return json.loads(text.replace("BUCKET", BUCKET))


def test_the_policy_allows_every_call_that_the_code_makes_and_no_action_that_it_does_not_make(
    bucket: BucketStore, policy: dict[str, Any]
) -> None:
    file = read_logo(draw())
    name = logo_key("networks", 74, file)
    save_logo_file(name, file)
    with default_storage.open(name) as stored:
        assert stored.read() == file.content
    store = logo_store()
    store.delete(store.unchanged(list(store.files())))
    default_storage.delete(name)

    needed = {need for call, params in bucket.calls for need in needs(call, params)}

    assert {need for need in needed if not allows(policy, *need)} == set()
    assert {action for action, _, _ in needed} == {
        action
        for statement in policy["Statement"]
        for action in ([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    }


@pytest.mark.parametrize(
    ("action", "resource", "prefix"),
    [
        ("s3:PutObject", f"arn:aws:s3:::{BUCKET}/images/other.png", None),
        ("s3:DeleteObject", f"arn:aws:s3:::{BUCKET}/backups/db.sqlite3", None),
        ("s3:GetObject", "arn:aws:s3:::another/images/logos/networks/1/a.png", None),
        ("s3:PutObjectAcl", f"arn:aws:s3:::{BUCKET}/images/logos/networks/1/a.png", None),
        ("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", None),
        ("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", ""),
        ("s3:ListBucket", f"arn:aws:s3:::{BUCKET}", "images/"),
        ("s3:DeleteBucket", f"arn:aws:s3:::{BUCKET}", None),
    ],
)
def test_the_policy_allows_nothing_beside_the_folder(
    policy: dict[str, Any], action: str, resource: str, prefix: str | None
) -> None:
    assert not allows(policy, action, resource, prefix)


def test_the_local_storage_is_the_one_that_shows_whole_files_only(folder: FolderStore) -> None:
    assert isinstance(default_storage, WholeFileStorage)
