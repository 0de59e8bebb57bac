import stat

from lambdad.storage.keys import KEY_BYTES, lasting_key


def test_a_key_stays_the_same_and_is_the_owners_alone(tmp_path):
    key = lasting_key(tmp_path / "a.key")
    assert len(key) == KEY_BYTES
    assert lasting_key(tmp_path / "a.key") == key
    assert stat.S_IMODE((tmp_path / "a.key").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["a.key"]


def test_a_key_that_was_cut_off_is_not_used(tmp_path):
    (tmp_path / "a.key").write_bytes(b"half")
    key = lasting_key(tmp_path / "a.key")
    assert len(key) == KEY_BYTES
    assert (tmp_path / "a.key").read_bytes() == key
