"""Flags beat the environment, which beats the file; what is unknown is refused with the nearest known name."""

import pytest

import cyberqa
from cyberqa.errors import SettingsError
from cyberqa.settings import Settings, load_settings


def load(tmp_path, toml: str = "", overrides=None, **environ):
    if toml:
        (tmp_path / "cyberqa.toml").write_text(toml, "utf-8")
    return load_settings(overrides, cwd=tmp_path, environ=environ)


def test_defaults_stand_in_the_working_folder(tmp_path):
    assert load(tmp_path) == Settings(corpus=tmp_path / "corpus", index=tmp_path / "index")


def test_flags_beat_environment_beats_file(tmp_path):
    toml = 'corpus = "of-file"\nindex = "of-file"\nchunk_size_chars = 400\n'
    loaded = load(tmp_path, toml, {"corpus": "of-flag", "index": None}, CYBERQA_CORPUS="of-env", CYBERQA_INDEX="of-env")
    assert loaded.corpus == tmp_path / "of-flag"
    assert loaded.index == tmp_path / "of-env"
    assert loaded.chunk_size_chars == 400


def test_the_file_is_found_upwards_and_its_paths_are_its_own(tmp_path):
    (tmp_path / "cyberqa.toml").write_text('corpus = "reports"\nexclude = ["drafts/*"]\n', "utf-8")
    (tmp_path / "a" / "b").mkdir(parents=True)
    loaded = load_settings(cwd=tmp_path / "a" / "b", environ={})
    assert loaded.corpus == tmp_path / "reports"
    assert loaded.exclude == ("drafts/*",)


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("chunk_size = 400", "unknown setting 'chunk_size'"),
        ("chunk_size_chars = 5000", "expected a whole number from 300 to 900, found 5000"),
        ("chunk_size_chars = true", "expected a whole number"),
        ('exclude = "x"\nexclude = 1', "cannot be read as TOML"),
        ("exclude = [1]", "a list of globs"),
        ("model = 3", "expected text"),
        ('reranker = ""', "expected text"),
        ("query_prompt = 3", "expected text"),
        ("corpus = 3", "expected a path"),
        ('corpus = "a\\u0000b"', "expected a path"),
        ('corpus = "~nosuchuser/x"', "expected"),
        ("chunk_size_chars = " + "9" * 5000, "cannot be read as TOML"),
    ],
)
def test_what_is_wrong_is_named_with_what_was_expected(tmp_path, toml, message):
    with pytest.raises(SettingsError, match=message.replace("[", r"\[")):
        load(tmp_path, toml)


def test_a_variable_that_sets_nothing_is_refused(tmp_path):
    with pytest.raises(SettingsError, match=r"unknown setting 'modle' in the call"):
        cyberqa.open("index", modle="x")
    with pytest.raises(SettingsError, match="unknown setting 'chunk_size_char' in the environment"):
        load(tmp_path, CYBERQA_CHUNK_SIZE_CHAR="500")


def test_an_empty_prompt_is_a_setting_and_none_at_all_is_another(tmp_path):
    loaded = load(tmp_path, 'query_prompt = ""', CYBERQA_RERANKER="models/cross")
    assert (loaded.query_prompt, loaded.document_prompt, loaded.reranker) == ("", None, "models/cross")


def test_the_nearest_known_setting_is_named(tmp_path):
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, 'corpsu = "x"')
    assert caught.value.hint == "did you mean 'corpus'?"
