"""As whom the gateway calls the daemon."""

from pathlib import Path

import structlog

from tocsin_gateway.daemon_link import DaemonLink


def test_a_token_file_that_cannot_be_used_leaves_the_last_token(tmp_path: Path) -> None:
    """What was read last is used, by a new process too; the log says so once for each reason, and the file counts again
    as soon as it can be used."""
    file = tmp_path / "token"
    daemon = DaemonLink("127.0.0.1:1", None, file, "first")
    with structlog.testing.capture_logs() as said:
        assert daemon.metadata() == daemon.metadata() == (("authorization", "Bearer first"),)
        file.write_text("second\n")
        assert daemon.metadata() == (("authorization", "Bearer second"),)
        file.write_text("two words\n")
        assert daemon.metadata() == (("authorization", "Bearer second"),)
    assert [(line["event"], line["last_one_used"]) for line in said] == [("the token file cannot be used", True)] * 2
    assert said[1]["reason"] == f"{file} does not hold a token"


def test_without_any_token_a_call_has_none(tmp_path: Path) -> None:
    """The daemon refuses it, and says why."""
    with structlog.testing.capture_logs() as said:
        assert DaemonLink("127.0.0.1:1", None, tmp_path / "token").metadata() == ()
    assert [line["last_one_used"] for line in said] == [False]
