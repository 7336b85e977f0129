"""What is at a place already: nothing, a store of ours, or something that is not to be touched."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import zarr
from zarr.abc.store import Store as ZarrStore
from zarr.core.sync import sync
from zarr.errors import ZarrUserWarning
from zarr.storage import LocalStore

from facearray.errors import InputError, MismatchError, StructureError
from facearray.io.layout import INCOMPLETE, SCHEMA_ATTR
from facearray.io.location import address

__all__ = ["consolidate", "find_group", "incomplete", "is_finished", "make_room"]


def find_group(store: ZarrStore) -> zarr.Group | None:
    """Open the Zarr group at a place for reading; None if there is nothing at all.

    Raises
    ------
    StructureError
        If there is something else.
    """
    reader = store.with_read_only(True)
    try:
        return _open(reader)
    except (FileNotFoundError, ValueError):
        if _is_nothing(reader):
            return None
    try:
        # Another process may have made it since.
        return _open(reader)
    except (FileNotFoundError, ValueError) as error:
        raise MismatchError(
            f"{address(store)}: found something that is no Zarr v3 group; expected a facearray store"
        ) from error


def _open(reader: ZarrStore) -> zarr.Group:
    return zarr.open_group(reader, mode="r", zarr_format=3, use_consolidated=False)


def incomplete(group: zarr.Group) -> bool:
    """Whether the creation of a store was interrupted, so that there is nothing in it to keep."""
    return INCOMPLETE in group.attrs


def make_room(store: ZarrStore, *, overwrite: bool) -> None:
    """Make sure that nothing is at a place; of what is there, only a store of ours is ever deleted.

    Raises
    ------
    InputError
        If there is a store and it is not to be overwritten.
    StructureError
        If there is something that is not a store of ours, or holds files that are not the store's.
    """
    group = find_group(store)
    if group is None:
        return
    if SCHEMA_ATTR not in group.attrs:
        raise MismatchError(
            f"{address(store)}: found a Zarr group that facearray did not make; expected a facearray store; "
            "it is left as it is: choose another place, or delete it yourself"
        )
    if not overwrite and not incomplete(group):
        raise InputError(
            f"{address(store)}: found a store; expected nothing; choose another place, or delete it with overwrite "
            "(overwrite=True, --overwrite)"
        )
    strangers = sorted(name for name in _arrays(store) if not sync(_is_ours(store, name)))
    if strangers:
        raise StructureError(
            f"{address(store)}: found {', '.join(strangers[:10])}, which are no arrays of the store; nothing is "
            "deleted: move them away first"
        )
    _delete(store)


def _delete(store: ZarrStore) -> None:
    """Delete a store so that what is left at any point is known for the remains of one.

    The root says that there is nothing to keep before anything is deleted, and goes last; in each array the metadata
    go after the chunks, because only they tell an array from somebody's folder.
    """
    zarr.open_group(store, mode="r+", zarr_format=3, use_consolidated=False).update_attributes({INCOMPLETE: "yes"})
    for name in _arrays(store):
        sync(store.delete_dir(f"{name}/c"))
        sync(store.delete_dir(name))
    sync(store.delete("zarr.json"))
    sync(store.delete_dir(""))


def _arrays(store: ZarrStore) -> list[str]:
    return [name for name in _names(store) if name != "zarr.json"]


async def _is_ours(store: ZarrStore, name: str) -> bool:
    if await store.exists(f"{name}/zarr.json"):
        return True
    # An array of which only the empty folder is left; a file of that name has itself below its name.
    return not [key async for key in store.list_prefix(f"{name}/")] and not await store.exists(name)


def is_finished(group: zarr.Group) -> bool:
    """Whether a store is finished: its metadata is consolidated last."""
    metadata = zarr.open_group(group.store, mode="r", zarr_format=3, use_consolidated=None).metadata
    return metadata.consolidated_metadata is not None


def consolidate(store: ZarrStore) -> None:
    """Consolidate the metadata of a store."""
    with _quiet():
        zarr.consolidate_metadata(store)


@contextmanager
def _quiet() -> Iterator[None]:
    # Zarr warns that other programs may ignore consolidated metadata; they lose nothing if they do.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata is", category=ZarrUserWarning)
        yield


def _is_nothing(store: ZarrStore) -> bool:
    if isinstance(store, LocalStore) and store.root.is_file():
        return False
    return not _names(store)


def _names(store: ZarrStore) -> list[str]:
    """Names directly below the root, leftovers of interrupted writes left out."""

    async def collect() -> list[str]:
        return [name.strip("/") async for name in store.list_dir("")]

    try:
        names = sync(collect())
    except FileNotFoundError:
        return []
    return [name for name in names if not name.endswith(".partial")]
