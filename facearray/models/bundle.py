"""Members of MediaPipe's model bundles, which are zip archives."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from facearray.errors import AssetError

__all__ = ["MAX_MEMBER_BYTES", "read_member"]

#: No member of a bundle is larger; what claims to be is not unpacked.
MAX_MEMBER_BYTES = 64 * 2**20


def read_member(bundle: Path, name: str) -> bytes:
    """Read a member of a bundle; nothing is unpacked to disk.

    Raises
    ------
    AssetError
        If the file is no zip archive, has no such member, or the member is damaged or larger than
        ``MAX_MEMBER_BYTES``.
    """
    try:
        with zipfile.ZipFile(bundle) as archive:
            size = archive.getinfo(name).file_size
            if size > MAX_MEMBER_BYTES:
                raise AssetError(f"{bundle.name}: found {name} of {size} bytes; expected at most {MAX_MEMBER_BYTES}")
            return archive.read(name)
    except (KeyError, NotImplementedError, OSError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise AssetError(f"cannot read {name} from {bundle.name}: {error}; get the file anew") from error
