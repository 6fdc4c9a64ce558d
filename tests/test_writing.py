"""Files appear whole or not at all."""

import errno
import os
from pathlib import Path

import pytest

from stormfusion.writing import replacing


def test_what_fails_half_way_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("old")

    def write() -> None:
        with replacing(path) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    def write() -> None:
        with replacing(tmp_path / "scores.csv"):
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(
        OSError, match=r"is full, so 'scores.csv' .* make room, or"
    ) as e:
        write()
    assert e.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"does not exist, so 'a.csv' .* first"):
        replacing(tmp_path / "no" / "a.csv").__enter__()
    with pytest.raises(IsADirectoryError, match=r"is a folder, wanted the name"):
        replacing(tmp_path).__enter__()
    with pytest.raises(FileExistsError, match=r"is no ordinary file"):
        replacing(os.devnull).__enter__()
    for wrong in (3, None, ""):
        with pytest.raises(TypeError, match=r"wanted text or a Path; name the file"):
            replacing(wrong).__enter__()  # type: ignore[arg-type]


@pytest.mark.skipif(os.name == "nt", reason="permissions and links of POSIX")
def test_links_and_permissions_stay(tmp_path: Path) -> None:
    held, link = tmp_path / "held.csv", tmp_path / "link.csv"
    held.write_text("old")
    held.chmod(0o640)
    link.symlink_to(held)
    with replacing(link) as temporary:
        temporary.unlink()
        temporary.write_text("new")
    assert link.is_symlink()
    assert held.read_text() == "new"
    assert held.stat().st_mode & 0o777 == 0o640
    plain, made = tmp_path / "plain.csv", tmp_path / "made.csv"
    plain.touch()
    with replacing(made) as temporary:
        temporary.chmod(0o600)
    assert made.stat().st_mode == plain.stat().st_mode


def test_a_folder_that_is_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # asked for, not tried: a superuser may write anywhere
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(PermissionError, match=r"cannot be written, so 'a.csv'"):
        replacing(tmp_path / "a.csv").__enter__()


def test_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    with replacing("~/a.csv") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "a.csv").read_text() == "whole"
