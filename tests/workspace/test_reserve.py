"A megabyte is kept aside where there is room, given up where there is none, and never takes the last."
import errno
from collections import namedtuple
import pytest
from marketing_mlops.workspace import reserve

Disk = namedtuple("Disk", "total used free")

@pytest.fixture
def disk(monkeypatch):
    def has(free): monkeypatch.setattr(reserve.shutil, "disk_usage", lambda path: Disk(10**9, 10**9 - free, free))
    return has

@pytest.mark.parametrize("free, is_kept, has_room", [(5_000_000, True, True), (4_999_999, False, True), (1_000_000, False, True), (999_999, False, False)])
def test_the_reserve_is_taken_only_where_four_more_megabytes_are_free(tmp_path, disk, free, is_kept, has_room):
    disk(free)
    assert reserve.keep_room(tmp_path/"state") == has_room
    assert reserve.reserve_path(tmp_path/"state").exists() == is_kept

def test_a_reserve_that_was_kept_is_given_up_below_a_megabyte(tmp_path, disk):
    disk(10**8); assert reserve.keep_room(tmp_path)
    disk(10); assert not reserve.keep_room(tmp_path)
    assert not reserve.reserve_path(tmp_path).exists()

def test_a_reserve_of_which_half_was_written_is_written_again_or_removed(tmp_path, disk, monkeypatch):
    disk(10**8)
    reserve.reserve_path(tmp_path).write_bytes(b"half")
    assert reserve.keep_reserve(tmp_path) and reserve.reserve_path(tmp_path).stat().st_size == reserve.RESERVE_BYTES
    reserve.reserve_path(tmp_path).write_bytes(b"half")
    def full(path): raise OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(reserve, "_fill", full)
    assert not reserve.keep_reserve(tmp_path) and not reserve.reserve_path(tmp_path).exists()

def test_what_fails_for_another_reason_costs_no_reserve_and_is_not_tried_twice(tmp_path, disk):
    disk(10**8); reserve.keep_reserve(tmp_path)
    tries = []
    def broken(): tries.append(1); raise ValueError("a NaN in the manifest")
    with pytest.raises(ValueError): reserve.with_room(tmp_path, broken)
    assert tries == [1] and reserve.reserve_path(tmp_path).exists()
