"""What apprise sends and answers, and which addresses it is not given."""

import re
from collections.abc import Iterator

import pytest
from mail_server import PASSWORD, MailServer, mail_server
from receivers import Opens, answers, deaf, says

from tocsind.courier.courier import Courier
from tocsind.courier.wire import Bulletin, Look, Outcome


@pytest.fixture
def mails() -> Iterator[MailServer]:
    """A mail server."""
    with mail_server() as server:
        yield server


def send(courier: Courier, url: str, body: str = "web1: 99 %\nzwölf <b>", timeout: float = 20.0) -> Outcome:
    """Sends a message."""
    return courier.run(Bulletin(url, "Disk full", body, "failure", timeout))


def test_a_mail_is_in_the_box(shared: Courier, mails: MailServer) -> None:
    """With its title, its text as it was, and to everybody."""
    outcome = send(shared, f"{mails.url}&to=anna@x.example,bert@y.example")

    assert outcome.done, outcome.answer
    assert mails.recipients == [["anna@x.example"], ["bert@y.example"]]
    assert mails.mails[0]["subject"] == "Disk full"
    assert mails.mails[0]["from"] == "tocsin@x.example"
    content = mails.mails[0].get_payload(decode=True)
    assert isinstance(content, bytes)
    assert content.decode().split() == ["web1:", "99", "%", "zwölf", "<b>"]
    assert outcome.answer == "Sent Email to anna@x.example - Sent Email to bert@y.example"


def test_a_message_without_a_text_is_its_title(shared: Courier, mails: MailServer) -> None:
    """apprise would refuse it."""
    assert send(shared, f"{mails.url}&to=anna@x.example", "").done


@pytest.mark.parametrize(
    ("to", "body", "answer"),
    [
        ("gone@x.example", "x", r"gone@x.example.*550 5\.1\.1 no such user, dear \*\*\*\*"),
        ("grey@x.example", "x", r"grey@x.example.*451 4\.7\.1 come back later"),
        ("anna@x.example", "too big", r"552 5\.3\.4 too big"),
    ],
)
def test_what_the_mail_server_refuses_is_told(
    shared: Courier, mails: MailServer, to: str, body: str, answer: str
) -> None:
    """With its own words, but without the password."""
    outcome = send(shared, f"{mails.url}&to={to}", body)

    assert not outcome.done
    assert re.search(answer, outcome.answer), outcome.answer
    assert mails.mails == []


def test_a_wrong_password_is_told(shared: Courier, mails: MailServer) -> None:
    """And not shown."""
    outcome = send(shared, mails.url.replace(PASSWORD, "wr0ngPass1") + "&to=anna@x.example")

    assert not outcome.done
    assert "535" in outcome.answer
    assert "wr0ngPass1" not in outcome.answer


@pytest.mark.parametrize("more", ["", "&cto=99&rto=99"])
def test_a_mail_server_that_hangs_ends_with_the_errand(shared: Courier, opens: Opens, more: str) -> None:
    """Whatever the address says, it is not waited for longer."""
    url = f"mailto://tocsin:{PASSWORD}@127.0.0.1:{opens(deaf).port}?from=a@x.example&to=b@x.example{more}"

    outcome = send(shared, url, timeout=0.5)

    assert "timed out" in outcome.answer
    assert outcome.seconds < 5


@pytest.mark.parametrize("url", ["json://127.0.0.1:{}/x?rto=99&cto=99", "ntfy://127.0.0.1:{}/topic"])
def test_a_service_that_hangs_ends_with_the_errand(shared: Courier, opens: Opens, url: str) -> None:
    """Over HTTP too."""
    outcome = send(shared, url.format(opens(deaf).port), timeout=0.5)

    assert (outcome.done, "Read timed out" in outcome.answer) == (False, True), outcome.answer


@pytest.mark.parametrize(
    ("does", "answer"),
    [
        (answers("503 Busy", b"come back later"), "come back later"),
        (answers("401 No", f'{{"error": "not {PASSWORD}"}}'.encode()), "not ****"),
        (says(f"{PASSWORD}\r\n".encode()), "Connection aborted"),
        (answers("302 Found", headers=["Location: http://127.0.0.1:1/"]), "302"),
    ],
)
def test_what_a_service_refuses_is_told(shared: Courier, opens: Opens, does: object, answer: str) -> None:
    """Its own words, or what went wrong; a redirect is not followed."""
    outcome = send(shared, f"json://tocsin:{PASSWORD}@127.0.0.1:{opens(does).port}/hook/{PASSWORD}")

    assert not outcome.done
    assert answer in outcome.answer
    assert PASSWORD not in outcome.answer


@pytest.mark.parametrize("option", ["", "?redirect=yes"])
def test_no_service_follows_a_redirect(shared: Courier, opens: Opens, option: str) -> None:
    """Whatever the address says: the password would go along."""
    other = opens(answers())
    receiver = opens(answers("307 Moved", headers=[f"Location: {other.url('/x')}"]))

    outcome = send(shared, f"json://tocsin:{PASSWORD}@127.0.0.1:{receiver.port}/{option}")

    assert (outcome.done, other.received.empty()) == (False, True), outcome.answer


def test_a_service_gets_title_text_and_mood(shared: Courier, opens: Opens) -> None:
    """As they are; and nothing that links elsewhere."""
    receiver = opens(answers())

    assert send(shared, f"json://127.0.0.1:{receiver.port}/hook").done

    body = receiver.received.get().body.decode()
    assert '"title": "Disk full"' in body
    assert '"message": "web1: 99 %\\nzw\\u00f6lf <b>"' in body
    assert '"type": "failure"' in body


@pytest.mark.parametrize("url", ["json://127.0.0.1:{}/", "mmost://127.0.0.1:{}/3ccdd113474722377935511fc85d3dd4"])
def test_messages_link_to_nothing_of_apprise(shared: Courier, opens: Opens, url: str) -> None:
    """No picture is fetched from elsewhere by whoever reads one, and it is Tocsin that tells."""
    receiver = opens(answers())

    assert send(shared, url.format(receiver.port)).done

    body = receiver.received.get().body.decode().lower()
    assert "apprise" not in body
    assert "http" not in body


# Addresses, what is shown of them, and what must not be.
KNOWN = [
    ("mailto://tocsin:hunter2x@mail.example?to=anna@mail.example", "mailto://tocsin:****@mail.example/anna@mail.example",
     "hunter2x"),
    ("mailtos://u%40c.example:p%40ss%2Fw0rd@smtp.c.example/a@x.example?+X-T=HEADERSECRET1", "mailtos://u:****@smtp",
     "p@ss/w0rd p%40ss HEADERSECRET1"),
    ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alerts", "slack://****/****/****/#alerts",
     "T1JJ3T3L2 A1BRTD4JD TIiajkdnlazkcOXrIdevi7FQ"),
    ("https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", "slack://****/****/****",
     "T1JJ3T3L2 A1BRTD4JD TIiajkdnlazkcOXrIdevi7FQ"),
    ("slack://bot@xoxb-123456789012-123456789012-abcdefghijklmnopqrstuvwx/#a", "slack://bot@****/#a", "xoxb abcdefghi"),
    ("workflows://prod-1.logic.azure.com:443/643e69f83c8944438d68119179a10a64/KODuebWbDGYFr0z0eu-6Rj8aUKz7108W3wrNJ/",
     "workflow://prod-1.logic.azure.com:443/****/****", "643e69f KODueb"),
    ("mmost://chat.example/3ccdd113474722377935511fc85d3dd4", "mmost://chat.example/****", "3ccdd1"),
    ("tgram://123456789:abcdefg_hijklmnop-AAEhBOweik/-100123456", "tgram://****/-100123456", "12345678: AAEhBO 6789"),
    ("pagerduty://A1BRTD4JDTIiajkdnlazkc@B1BRTD4JDTIiajkdnlazkcZ", "pagerduty://****@****", "A1BR B1BR"),
    ("ntfy://t0picSecret", "ntfys://****", "t0picSecret"),
    ("ntfys://user:passw0rdX@ntfy.example/topic1", "ntfys://user:****@ntfy.example/topic1", "passw0rdX"),
    ("ntfys://tk_abcdefghij1234567890@ntfy.example/topic1", "ntfys://****@ntfy.example/topic1", "tk_abc"),
    ("twilio://AC1234567890abcdef1234567890abcdef:1234567890abcdef1234567890abcdef@15551234567", "twilio://****:****@",
     "1234567890abcdef cdef"),
    ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js", "discord://****/****", "4174216298 JHMHI8"),
    ("pover://uQiRzpo4DXghDmr9QzzfQu27cmVRsG@azGDORePK8gMaC0QOYAMyEEuzJnyUi", "pover://****@****", "uQiRz azGDO"),
    ("json://user:passX99@h.example/api/S3CRETPATH?+X-A=HS88&-tok=PS99&:key=BS11", "json://user:****@h.example/api/****",
     "passX99 S3CRETPATH HS88 PS99 BS11"),
    ("xmls://h.example:8443/hook/hunter", "xmls://h.example:8443/hook/****", "hunter"),
    ("gotify://gotify.example/AAbbCCddEEffGG1", "gotify://gotify.example/****", "AAbbCC"),
    ("matrix://user:matrixPass1@matrix.example/#room1", "matrix://user:****@matrix.example/#room1", "matrixPass1"),
    ("matrixs://syt_dG9rZW4_abcdefghijklmn_012345@m.example/!room:example", "matrixs://****@m.example/", "syt_"),
    ("opsgenie://12345678-1234-1234-1234-123456789012", "opsgenie://****", "12345678 9012"),
    ("gchat://workspace1/webhook_keyABC/webhook_tokenXYZ-1", "gchat://****/****/****", "keyABC tokenXYZ"),
    ("rocket://user:rpassWord1@rocket.example/#alerts", "rocket://user:****@rocket.example/#alerts", "rpassWord1"),
    ("signal://user:signPass1@localhost:8080/+15551234567/+15557654321", "signal://user:****@localhost:8080",
     "signPass1"),
    ("sns://AKIAABCDEFGHIJKLMNOP/wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY/us-east-1/+15551234567", "sns://****/****/us",
     "AKIA wJalr"),
    ("sendgrid://SG.abcDEF123.ghiJKL456:from@x.example/to@x.example", "sendgrid://****:****@x.example", "SG. ghiJKL"),
    ("apprises://host.example:8000/tokenABCDEF12?+h=HEADER5", "apprises://host.example:8000/****", "tokenABC HEADER5"),
    ("splunk://route_key@1234abcd-5678-90ef-1234-567890abcdef/entity", "splunk://route_key@****/entity", "1234abcd"),
    ("hassio://host.example/long_lived_token_ABC1", "hassio://host.example/****", "long_lived"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "target", "secrets"), KNOWN, ids=[f"{n} {each[0][:9]}" for n, each in enumerate(KNOWN)]
)
def test_an_address_is_shown_without_its_secrets(shared: Courier, url: str, target: str, secrets: str) -> None:
    """Enough is left to tell two of them apart by host and recipients, and nothing of passwords, tokens and keys."""
    outcome = shared.run(Look(url))

    assert (outcome.done, outcome.answer) == (True, "")
    assert outcome.service
    assert outcome.target.startswith(target)
    assert [secret for secret in secrets.split() if secret.lower() in outcome.target.lower()] == []


@pytest.mark.parametrize(
    ("url", "target", "secrets"), KNOWN, ids=[f"{n} {each[0][:9]}" for n, each in enumerate(KNOWN)]
)
def test_what_fails_does_not_tell_secrets(url: str, target: str, secrets: str) -> None:
    """A service whose log has the whole address in it: nothing of it is in the answer."""
    from apprise import Apprise

    from tocsind.courier import scrub, services

    service = Apprise.instantiate(url)
    assert service is not None
    scrubber = scrub.Scrubber(services._secrets(url, service))
    words = re.split(r"[/:@?&=]", url)
    said = scrubber.scrub(f"{url} | {' '.join(words)} | {service.url()}")

    assert [secret for secret in secrets.split() if secret.lower() in said.lower() and len(secret) > 4] == []


def test_numbers_of_templates_are_no_files(shared: Courier) -> None:
    """Some services have templates of their own."""
    url = "onesignal://templateid:abcdefgh-1234@apikey12345678/#everyone?template=1234"

    assert shared.run(Look(url)).done


@pytest.mark.parametrize(
    ("url", "answer"),
    [
        ("", "it must begin with the name of a service"),
        ("hunter2", "it must begin with the name of a service"),
        ("nosuchthing://hunter2@x", "apprise knows no service for nosuchthing://"),
        ("https://hooks.example/hunter2", "apprise knows no service for this address"),
        ("msteams://hunter2/x/y", "Teams ended what msteams:// spoke to; use workflows://"),
        ("mqtt://hunter2@x/y", "mqtt:// needs what is not installed with Tocsin: paho-mqtt"),
        ("slack://hunter2", "Slack cannot read this address"),
        ("tgram://hunter2/1", "Telegram cannot read this address"),
        ("mailto://:hunter2@", "E-Mail cannot read this address"),
        ("mailto://", "E-Mail cannot read this address: Invalid ~From~ email specified"),
        ("pover://hunter2@", "Pushover cannot read this address"),
        ("syslog://", "syslog:// acts on the machine that Tocsin runs on"),
        ("DBUS://", "dbus:// acts on the machine"),
        ("gnome://", "gnome:// acts on the machine"),
        ("macosx://", "macosx:// acts on the machine"),
        ("windows://", "windows:// acts on the machine"),
        ("file:///etc/passwd", "file:// acts on the machine"),
        ("blink1://", "blink1:// acts on the machine"),
        (
            "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ?template=/etc/passwd",
            "the option template reads a file",
        ),
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ?a=b&%54emplate=/x", "the option template reads a file"),
        ("mailto://u:p@x.example?pgpkey=/etc/passwd", "the option pgpkey reads a file"),
        ("mailto://u:p@x.example?a=b;pgpkey=/etc/passwd", "the option pgpkey reads a file"),
        ("mailto://u:p@x.example?%20PGPkey+=/etc/passwd", "the option pgpkey reads a file"),
        (
            "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ?template=/x",
            "the option template",
        ),
        ("tgram://123456789:abcdefg_hijklmnop/-100123456?template=file:///x", "the option template reads a file"),
        (
            "workflows://host:443/643e69f83c8944438d68119179a10a64/KODuebWbDGYFr0z0eu/?template=/x",
            "the option template",
        ),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?template=/x", "the option template reads a file"),
        ("json://x?config=/etc/apprise.yml", "the option config reads a file"),
    ],
)
def test_addresses_that_are_not_taken(shared: Courier, url: str, answer: str) -> None:
    """It is said why, without a secret; and they are not sent to either."""
    for outcome in (shared.run(Look(url)), send(shared, url)):
        assert not outcome.done
        assert outcome.answer.startswith(answer)
        assert outcome.target == ""
        assert "hunter2" not in outcome.answer
        assert not outcome.answer.endswith(":")
