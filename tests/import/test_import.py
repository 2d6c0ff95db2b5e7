"""A stock server's database is brought over, and asked the same questions."""

import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from queries import ask, counted, questions
from stock import KEYS

sys.path.append(str(Path(__file__).parents[1] / "loop"))
from server import BINARY, Server  # noqa: E402


def bring(source, data, into, *options):
    command = [BINARY, "import", "mlflow", "--json", "--db", source.database, "--data", str(data), *options]
    command += ["--into-db", into] if into else []
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def brought(source, data, into, *options):
    """What the import says in the end."""
    process = bring(source, data, into, *options)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    return json.loads(out)


def copied(source):
    return ("--artifacts", str(source.artifacts), "--leave-out")


def test_a_look_tells_what_would_come_and_writes_nothing(source, tmp_path):
    command = [BINARY, "import", "mlflow", "--json", "--db", source.database, "--check", "--data", str(tmp_path / "data")]
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 2 and "--artifacts" in refused.stderr
    done = subprocess.run([*command, "--artifacts", str(source.artifacts)], capture_output=True, text=True)
    seen = json.loads(done.stdout)
    assert seen["rows"]["runs"] == 29 and seen["rows"]["metric points"] > 41_000
    assert seen["kept_elsewhere"] == ["s3://bucket/elsewhere"]
    left = [finding["of"] for finding in seen["cannot_be_kept"]["told"]]
    assert left == ["1 budget policies"] and seen["rows"]["assessments"] == 7
    assert not (tmp_path / "data").exists()


def test_what_was_brought_over_answers_like_the_stock_server(source, imported):
    summary, data, into = imported
    kinds = summary["kinds"]
    assert all(kind["there"] == kind["here"] for kind in kinds.values())
    assert all(kind["digest_there"] == kind["digest_here"] for kind in kinds.values())
    assert kinds["runs"]["here"] == 29 and kinds["experiments"]["here"] == 6
    new = ["assessments", "issues", "gateway secrets", "gateway model definitions", "gateway endpoints", "webhooks"]
    assert [kinds[kind]["here"] for kind in new] == [7, 2, 2, 3, 3, 2]
    assert len(source.answers) >= 200
    server = Server(data, into)
    try:
        different = []
        for question, expected in source.answers:
            got = ask(server.url, question)
            if (got[0], counted(got[1])) != (expected[0], counted(expected[1])):
                different.append((question, expected, got))
        for question, expected, got in different[:30]:
            print(json.dumps(question), json.dumps(expected)[:1500], json.dumps(got)[:1500], "", sep="\n")
        assert not different, f"{len(different)} of {len(source.answers)} answers differ"
        assert ask(server.url, ("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "1"}))[0] == 200
    finally:
        server.stop()
    audit = [BINARY, "audit", "verify", str(data), "--state"] + (["--db", into] if into else [])
    assert subprocess.run(audit, capture_output=True).returncode == 0


def test_what_cannot_be_opened_comes_without_its_value(source, target, monkeypatch):
    data, into = target
    monkeypatch.setenv("MLFLOW_CRYPTO_KEK_PASSPHRASE", "another passphrase, long enough")
    monkeypatch.delenv("MLFLOW_WEBHOOK_SECRET_ENCRYPTION_KEY")
    process = bring(source, data, into, "--artifacts", str(source.artifacts))
    _, err = process.communicate(timeout=600)
    assert process.returncode == 2, err
    for told in ['the value of secret "shared"', 'the value of secret "amazon é"', 'the secret of webhook "signed"']:
        assert told in err, err
    # What the stock server had may stand in a file; then the variable is this server's own.
    passphrase = data.parent / "passphrase"
    passphrase.write_text("no passphrase of anybody\n")
    brought(source, data, into, *copied(source), "--passphrase-file", str(passphrase))
    passphrase.write_text(KEYS["MLFLOW_CRYPTO_KEK_PASSPHRASE"] + "\n")
    process = bring(source, data, into, *copied(source), "--passphrase-file", str(passphrase))
    assert "other options" in process.communicate(timeout=600)[1]
    server = Server(data, into)
    try:
        secret = ("GET", f"/api/3.0/mlflow/gateway/secrets/get?secret_id={source.ids['secrets'][0]}", None)
        told = ask(server.url, secret)[1]["secret"]
        assert told["secret_name"] == "shared" and not told.get("masked_values")
        webhook = ("GET", f"/api/2.0/mlflow/webhooks/{source.ids['webhooks'][0]}", None)
        assert ask(server.url, webhook)[1]["webhook"]["status"] == "DISABLED"
        changed = {"secret_id": source.ids["secrets"][0], "secret_value": {"api_key": "sk-set-anew-1234"}}
        assert ask(server.url, ("POST", "/api/3.0/mlflow/gateway/secrets/update", changed))[0] == 200
    finally:
        server.stop()


def test_bringing_it_again_changes_nothing(source, imported_once):
    summary, data, into = imported_once
    assert brought(source, data, into, *copied(source)) == summary


def test_a_used_directory_and_other_options_are_refused(source, imported_once, tmp_path):
    _, data, into = imported_once
    process = bring(source, data, into, "--artifacts", "keep", "--leave-out")
    _, err = process.communicate(timeout=600)
    assert process.returncode == 2 and "other options" in err
    server = Server(tmp_path / "data")
    server.stop()
    process = bring(source, tmp_path / "data", None, *copied(source))
    _, err = process.communicate(timeout=600)
    assert process.returncode == 1 and "nobody has used" in err


@pytest.mark.parametrize("seed", range(6))
def test_killed_anywhere_it_goes_on_and_nothing_is_doubled(source, imported_once, target, seed):
    """The longest time to live is that of a whole import, measured first."""
    expected, _, _ = imported_once
    draw = random.Random(seed)
    data, into = target
    kills = 0
    for _ in range(4):
        process = bring(source, data, into, *copied(source))
        # Sleeping is the test: the moment of the kill is what varies.
        time.sleep(draw.uniform(0.02, source.seconds))
        kills += process.poll() is None
        process.kill()
        process.communicate()
    assert brought(source, data, into, *copied(source)) == expected
    shutil.rmtree(data)
