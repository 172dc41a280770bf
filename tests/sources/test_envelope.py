"""What stands around copy becomes fields and cuts; what is copy stays."""

import re
from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.model import CutKind
from digest.sources.envelope import Envelope, open_envelope
from digest.sources.lines import split_lines

ASHGABAT = ZoneInfo("Asia/Ashgabat")
EN = """Karvel opens a bridge over the Lena

OSTAN, 22 November 2026 – The bridge was opened on Sunday, the ministry said. It is long.

Lorries use it from Monday."""
RU = """Карвель открыл мост через Лену

ОСТАН, 22 ноября 2026 г. – Мост открыли в воскресенье, сообщило министерство. Он длинный.

Фуры пойдут с понедельника."""
TITLE, LEAD, LAST = EN.split("\n\n")
ЗАГОЛОВОК, ЛИД, КОНЕЦ = RU.split("\n\n")


def opened(text: str) -> Envelope:
    return open_envelope(split_lines(text), ASHGABAT)


def copy_of(envelope: Envelope) -> str:
    return "\n\n".join(line.text for line in envelope.lines)


def cut(envelope: Envelope, kind: CutKind) -> str:
    return "\n".join(one.text for one in envelope.cuts if one.kind is kind)


WAITS = datetime(2026, 11, 25, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("line", "until"),
    [
        ("EMBARGOED UNTIL 10:00 GMT, 25 NOVEMBER 2026", WAITS),
        ("Embargo: 3:00 P.M., Wednesday 25 November 2026", WAITS),
        ("NOT FOR PUBLICATION BEFORE 11.00 CET ON WEDNESDAY 25 NOVEMBER", WAITS),
        ("Strictly embargoed to 1500hrs 25/11/2026", WAITS),
        ("Embargoed to: 1000 GMT Wednesday 25th November 2026", WAITS),
        ("[Embargoed until 5 a.m. ET on Nov. 25, 2026]", WAITS),
        ("EMBARGOED FOR RELEASE UNTIL 15:00 GMT+5, 25 November 2026", WAITS),
        ("Embargoed till 10 GMT Nov 25 2026", WAITS),
        ("EMBARGO UNTIL 25.11.26 15:00", WAITS),
        ("Not for release before\n10:00 GMT\nWednesday 25 November 2026", WAITS),
        ("CONFIDENTIAL UNTIL 10:00 GMT ON 25 NOVEMBER 2026", WAITS),
        ("EMBARGOED UNTIL: 2026-11-25T10:00:00Z", WAITS),
        ("*** STRICT EMBARGO: 25 November 2026, 15:00 local time ***", WAITS),
        ("EMBARGOED UNTIL\n3:00 P.M., WEDNESDAY 25 NOVEMBER 2026", WAITS),
        ("EMBARGO\nNot for publication or broadcast before 15:00 on 25 November 2026", WAITS),
        ("FOR RELEASE: 10:00 a.m. UTC, Wednesday, November 25, 2026", WAITS),
        ("PRESS RELEASE – EMBARGOED UNTIL 10:00 GMT 25 NOVEMBER 2026", WAITS),
        ("Please note: this release is under embargo until 10 a.m. GMT / 11 a.m. CET on 25 November 2026.", WAITS),
        ("Sperrfrist: 25.11.2026, 15:00 Uhr", WAITS),
        ("Эмбарго до 13:00 (МСК) 25 ноября 2026 года", WAITS),
        ("Не публиковать до 3 часов дня 25 ноября 2026 г.", WAITS),
        ("Материал находится под эмбарго до 13:00 25.11.2026 по московскому времени.", WAITS),
        ("ЭМБАРГО! До 13.00 мск 25.11.2026 не публиковать!", WAITS),
        ("Срок эмбарго: 25 ноября 2026, 13:00 (UTC+3)", WAITS),
        ("Публикация разрешена не ранее 15.00 среды, 25 ноября", WAITS),
        ("ВНИМАНИЕ! ЭМБАРГО: 15:00 по Ашхабаду, 25 ноября 2026 г.", WAITS),
        ("Embargo: 18:15, 25 November 2026", datetime(2026, 11, 25, 13, 15, tzinfo=UTC)),
        ("Embargo until 12 noon on 2 January 2027", datetime(2027, 1, 2, 7, tzinfo=UTC)),
        ("Under embargo until midnight, 24 November 2026", datetime(2026, 11, 24, 19, tzinfo=UTC)),
        ("Embargo: 25 November 2026", datetime(2026, 11, 24, 19, tzinfo=UTC)),
        pytest.param("Embargoed until 10 a.m. on 25 May", None, id="no year near"),
        ("EMBARGOED UNTIL 10 A.M. TUESDAY", None),
        pytest.param("Embargo: 10:00 GMT, Monday 25 November 2026", None, id="another weekday"),
        ("Embargo until 10:00 Mirzan time, 25 November 2026", None),
        ("EMBARGOED UNTIL DELIVERY OF THE SPEECH", None),
        ("EMBARGOED UNTIL THE MINISTER HAS SPOKEN", None),
        ("ПОД ЭМБАРГО", None),
        ("EMBARGO\n25 November 2026\n10:00 GMT", WAITS),
        ("EMBARGOED TILL 10.00 HOURS GMT, 25TH NOV 2026", WAITS),
        ("///EMBARGOED 25NOV26 1000Z///", WAITS),
        ("Embargo (print): 24 November 2026, 22:00 GMT\nEmbargo (online): 25 November 2026, 10:00 GMT", WAITS),
        ("EMBARGO: print 24 November 2026 22:00 CET; online 25 November 2026 11:00 CET", WAITS),
        ("Опубликовать не ранее 25 ноября 2026 года, 13:00 мск", WAITS),
        ("Embargoed until 25 November 2026 (close of business)", None),
        ("Embargoed until 10 Downing Street confirms", None),
        ("EMBARGO UNTIL 31 NOVEMBER 2026 09:00 GMT", None),
        ("Please note: this story is under embargo until Tuesday 9am.", None),
        ("This information must not be published before the launch", None),
        ("Публиковать только после подписания указа", None),
        ("Не для печати", None),
        ("Эмбарго до вечера 25 ноября 2026 года", None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("below", [False, True], ids=["above", "below"])
def test_an_embargo_line_says_until_when(line: str, until: datetime | None, below: bool) -> None:
    """For the sender: it is no copy, and its hour is read for sure or not at all."""
    envelope = opened(f"{EN}\n\n{line}\n" if below else f"{line}\n\n{EN}\n")
    assert envelope.embargo is not None
    assert envelope.embargo.until == until
    assert envelope.embargo.words.split() == cut(envelope, CutKind.LABEL).split() == line.split()
    assert copy_of(envelope) == EN


@pytest.mark.parametrize(
    "line",
    ["EMBARGO", "Эмбарго", "Strictly embargoed", "Release date: tomorrow", "Release at 09:00"],
)
def test_an_embargo_without_a_day_at_the_end_waits_for_an_editor(line: str) -> None:
    envelope = opened(f"{EN}\n\n{line}\n")
    assert envelope.embargo is not None
    assert (envelope.embargo.until, copy_of(envelope)) == (None, EN)


def test_do_not_publish_above_what_was_sent_in_error_is_a_kill() -> None:
    envelope = opened("DO NOT PUBLISH\nThe release on the bridge was sent in error.\n")
    assert envelope.kills is not None
    assert envelope.embargo is None


def test_an_embargo_of_a_later_item_holds() -> None:
    """For its sender: the whole document waits."""
    lines = f"Mirzan buys a tram\nEmbargo: 25 November 2026, 10:00 GMT\n{LEAD}"
    envelope = opened(f"{EN}\n\n{lines}\n\n{LAST}\n\n{LAST}\n\n{LAST}\n")
    assert envelope.embargo is not None
    assert envelope.embargo.until == WAITS
    assert "Embargo" not in copy_of(envelope)


@pytest.mark.parametrize(
    "mark", ["[EMBARGOED UNTIL 25 NOV 2026 10:00 GMT] ", "Embargo: 25 Nov 2026, 10:00 GMT – "]
)
def test_copy_on_the_line_of_an_embargo_stays(mark: str) -> None:
    """For the reader: only the mark before the first sentence is cut."""
    envelope = opened(f"{TITLE}\n\n{mark}{LEAD}\n\n{LAST}\n")
    assert envelope.embargo is not None
    assert (envelope.embargo.until, copy_of(envelope)) == (WAITS, EN)


@pytest.mark.parametrize(
    "title",
    [
        "Arms embargo until 2027 agreed",
        "Embargo on Karvel's grain extended until 31 December 2026",
        "The embargo until 25 November 2026 hurts farmers",
        "Embargoed until 2024, the archive opens",
        "Embargo: what it means for farmers",
        "Oil embargo: Karvel stops exports on 25 November 2026",
        "Эмбарго до 2027 года: чего ждать",
        "Эмбарго на зерно введено 25 ноября 2026 года",
        "Россия продлила эмбарго до 31 декабря 2026 года",
        "No embargo on grain",
        "Under embargo for ten years, Karvel learns to farm",
        "EMBARGO UNTIL VICTORY was the slogan of 1950",
        "Не для печати: о чём молчат чиновники",
    ],
)
def test_copy_about_an_embargo_is_copy(title: str) -> None:
    """For the reader: news of a trade embargo is not held."""
    envelope = opened(f"{title}\n\n{LEAD}\n")
    assert (envelope.embargo, copy_of(envelope)) == (None, f"{title}\n\n{LEAD}")


MAIL = "From: Press <press@customs.example>\nTo: desk@news.example\n"


@pytest.mark.parametrize(
    ("subject", "until"),
    [
        (f"EMBARGOED until 25 Nov 2026 10:00 GMT - {TITLE}", WAITS),
        (f"{TITLE} [EMBARGO 25 Nov 2026 10:00 GMT]", WAITS),
        (f"Embargoed: {TITLE} (not before 25 November 2026 10:00 GMT)", WAITS),
        (f"Под эмбарго: {TITLE}", None),
        (f"[EMBARGO] {TITLE}", None),
    ],
)
def test_an_embargo_beside_a_title_holds(subject: str, until: datetime | None) -> None:
    """For the sender of a mail, whose subject says both."""
    envelope = opened(f"{MAIL}Subject: {subject}\n\n{LEAD}\n")
    assert envelope.title is not None
    assert envelope.embargo is not None
    assert (envelope.title.text, envelope.embargo.until) == (TITLE, until)


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        (f"{MAIL}Date: Sun, 22 Nov 2026 09:15:00 +0500\nSubject: {TITLE}", {"dateline": "Sun, 22 Nov 2026 09:15:00 +0500"}),
        (f"*From:* Press\n*Sent:* Sunday, 22 November 2026 9:15\n*To:* desks\n*Subject:* FW: {TITLE}\n\nDear editors,", {"dateline": "Sunday, 22 November 2026 9:15"}),
        (f"От: Пресс-служба <p@customs.example>\nКому: редакция\nОтправлено: 22 ноября 2026 г. 9:15\nТема: {TITLE}\n\nУважаемые коллеги!", {"dateline": "22 ноября 2026 г. 9:15"}),
        (f"Von: Presse <p@customs.example>\nGesendet: 22.11.2026\nAn: Redaktion\nBetreff: {TITLE}", {"dateline": "22.11.2026"}),
        (f"Begin forwarded message:\n\n{MAIL}Subject: {TITLE}", {}),
        (f"{MAIL}Subject: FW: bridge\n\nPlease use.\nTom\n\n-----Original Message-----\n{MAIL}Subject: {TITLE}", {}),
        (f"{MAIL}Subject: {TITLE.replace(' over', chr(10) + ' over')}\nX-Mailer: Post\nMIME-Version: 1.0", {}),
        (f"{MAIL}Subject: URGENT: {TITLE}", {"urgency": "urgent"}),
        (f"{MAIL}Subject: EMBARGO 25 November 2026: {TITLE}", {}),
        (f"{MAIL}Subject: {TITLE}\n\n{TITLE}", {}),
        (f"Slug: BRIDGE-OPEN\nPriority: 4\nKeywords: bridge, port\nDate: 2026-11-22\nHeadline: {TITLE}", {"number": "BRIDGE-OPEN", "dateline": "2026-11-22"}),
        (f"Headline: {TITLE}\nByline: By Anna Orlova\nDateline: OSTAN\nDate: 22 Nov 2026\nPriority: flash", {"byline": "Anna Orlova", "dateline": "22 Nov 2026", "urgency": "flash"}),
        (f"Заголовок: {TITLE}\nПриоритет: срочно\nКлючевые слова: мост", {"urgency": "urgent"}),
    ],
)  # fmt: skip
def test_a_header_gives_its_fields(header: str, fields: dict[str, str]) -> None:
    """For the desk: the title is the subject or headline, and no address is copy."""
    envelope = opened(f"{header}\n\n{LEAD}\n\n{LAST}\n")
    assert envelope.title is not None
    assert (envelope.title.text, copy_of(envelope)) == (TITLE, f"{LEAD}\n\n{LAST}")
    assert fields.items() <= {name: getattr(envelope, name) for name in fields}.items()
    assert "Press" not in copy_of(envelope)


def test_the_headers_of_several_items_are_their_titles_and_days() -> None:
    """For the reader: no item of an export is lost."""
    items = [
        f"Title: {n} opens\nLink: a.example/{n}\nDate: {n}.11.2026\nText: It is {n}."
        for n in (1, 2)
    ]
    lines = [(line.text, line.block) for line in opened("\n\n".join(items)).lines]
    one, two = (
        [(f"{n} opens", "title"), (f"{n}.11.2026", ""), (f"It is {n}.", "")] for n in (1, 2)
    )
    assert lines == one + two


@pytest.mark.parametrize(
    "above",
    [
        "Hi desk,\n\nCall me if anything is unclear: 07700 900444.\n\nCheers,\nNina",
        f"{MAIL}Subject: Our story\n\nHere is the final text.\n\n> On 20 Nov Eva <e@a.example> wrote:\n> Send it?",
        "Note to editors: Photos at https://photo.example user: press pass: rose",
        "Добрый день, коллеги! Направляем информацию для публикации.\n\nС уважением,\nАнна Орлова",
    ],
)
def test_a_note_to_the_desk_is_cut(above: str) -> None:
    """For the sender, who wrote it to nobody else."""
    envelope = opened(f"{above}\n\n{EN}\n")
    title = [envelope.title.text] if envelope.title else []
    assert "\n\n".join([*title, copy_of(envelope)]) == EN


def test_quoted_and_wrapped_lines_of_a_mail_are_paragraphs() -> None:
    """For the reader: no quoting mark is copy, and no header line runs into the next."""
    envelope = opened(
        f"{MAIL}Subject: {TITLE}\n\n> Dear colleagues,\n>\n> From Monday lorries with fruit pass the port"
        " by a green\n> corridor. The customs service promises that each will be through in\n> ten minutes.\n"
    )
    assert copy_of(envelope) == (
        "From Monday lorries with fruit pass the port by a green corridor. The customs service promises"
        " that each will be through in ten minutes."
    )


@pytest.mark.parametrize(
    ("above", "fields", "number_of_cuts"),
    [
        ("FOR IMMEDIATE RELEASE\nRef. No. 187/2026\n\n", {"number": "187/2026"}, 2),
        ("KARVEL WATER BOARD\n12 Canal Street, Ostan\nwww.water.example\n\nPRESS RELEASE No. 45\n\n", {"number": "45"}, 2),
        ("Press release: ", {}, 1),
        ("URGENT\n\n", {"urgency": "urgent"}, 1),
        ("***FLASH***\n", {"urgency": "flash"}, 1),
        ("BULLETIN - ", {"urgency": "bulletin"}, 1),
        ("URGENT - UPDATE 2 - ", {"urgency": "urgent", "update": "UPDATE 2"}, 1),
        ("UPDATE 2-", {"update": "UPDATE 2"}, 1),
        ("WRAPUP 1-", {"update": "WRAPUP 1"}, 1),
        ("(Adds minister's comment in paragraphs 3-5)\n\n", {"update": "Adds"}, 1),
        ("Editor's note: This story replaces an earlier one.\n\n", {}, 1),
        ("[CORRECTED] ", {"correction": ""}, 1),
        ("CORRECTED\n(Corrects length in paragraph 1)\n", {"correction": "Corrects length in paragraph 1"}, 1),
        ("KARVEL-BRIDGE\n\n", {"number": "KARVEL-BRIDGE"}, 1),
        ("bc-karvel-bridge, 1st Ld, 0450\n", {"number": "bc-karvel-bridge", "update": "1st Ld"}, 1),
        ("Contact: Jonas Weber, +49 30 5550 100\n\n", {}, 1),
        ("Contact:\nJonas Weber\nPress office\nTel. +49 30 5550 100\npress@city.example\n\n", {}, 1),
        ("МОЛНИЯ\n\n", {"urgency": "flash"}, 1),
        ("СРОЧНО: ", {"urgency": "urgent"}, 1),
        ("ОБНОВЛЕНО: ", {"update": "ОБНОВЛЕНО"}, 1),
        ("ИСПРАВЛЕНО\n(Исправляет длину моста)\n\n", {"correction": "Исправляет длину моста"}, 1),
        ("УТОЧНЕНИЕ. ", {"correction": ""}, 1),
        ("ПРЕСС-РЕЛИЗ № 187/2026 от 22 ноября 2026 г.\n\n", {"number": "187/2026", "dateline": "22 ноября 2026 г."}, 1),
        ("Министерство транспорта Карвеля\nПресс-служба\nК немедленному распространению\n\n", {}, 2),
        ("Pressemitteilung Nr. 45/2026\n\n", {"number": "45/2026"}, 1),
    ],
)  # fmt: skip
def test_labels_above_copy_become_fields(
    above: str, fields: dict[str, str], number_of_cuts: int
) -> None:
    """For the reader: the title is the title alone, on a line below its labels or behind them."""
    copy = EN if above.isascii() else RU
    envelope = opened(above + copy)
    assert copy_of(envelope) == copy
    assert {name: getattr(envelope, name) for name in fields} == fields
    assert len(envelope.cuts) == number_of_cuts


def test_an_urgent_paragraph_without_a_title_is_copy() -> None:
    """For the reader: the mark goes, the dateline stays."""
    envelope = opened(f"СРОЧНО. {ЛИД}")
    assert (envelope.urgency, copy_of(envelope)) == ("urgent", ЛИД)


@pytest.mark.parametrize(
    ("text", "title", "number"),
    [
        ('KILL: Bridge opens\n\nEditors, please kill the story headlined "Bridge opens".', "Bridge opens", None),
        ("KILL KILL KILL\n\nPlease kill “Bridge opens”, moved at 09:10.", "Bridge opens", None),
        (f"{MAIL}Subject: KILL: Bridge opens\n\nPlease do not use the story that we sent at 09:10.", "Bridge opens", None),
        ("MANDATORY KILL\n\nBridge opens\n\nThis story must not be used.", "Bridge opens", None),
        ("PLEASE DO NOT USE\n\nRecall of release No. 187/2026, “Bridge opens”\n\nIt was sent in error.", "Bridge opens", "187/2026"),
        ("WITHDRAWAL\n\nEditors: the story “Bridge opens” has been withdrawn.", "Bridge opens", None),
        ("Withdrawal of press release No. 12/26", None, "12/26"),
        ("Editors, please disregard the story “Bridge opens”. It was sent in error.", "Bridge opens", None),
        ("ADVISORY: Please kill the bridge story slugged KARVEL-BRIDGE\n\nIt is wrong.", None, "KARVEL-BRIDGE"),
        ("Withdrawn: Bridge opens\n\nThis article has been withdrawn.", "Bridge opens", None),
        ("АННУЛИРУЕТСЯ\n\nСообщение «Мост открыт» просим не использовать.", "Мост открыт", None),
        ("Отзыв сообщения № 45/2026\n\nСообщение «Мост открыт» разослано ошибочно.", "Мост открыт", "45/2026"),
        ("Просьба не использовать\n\nНовость «Мост открыт» отправлена ошибочно.", "Мост открыт", None),
        ("ВНИМАНИЕ РЕДАКЦИЙ! Сообщение № 7/26 «Мост открыт» аннулируется.", "Мост открыт", "7/26"),
        ('ADVISORY: The story "Bridge opens" has been withdrawn. Please do not use it.', "Bridge opens", None),
        ("BULLETIN KILL\nEditors: Kill the story headlined Bridge opens, slugged BRIDGE-OPEN.\nThe AP", "Bridge opens", "BRIDGE-OPEN"),
        (f"{MAIL}Subject: Recall: Bridge opens\n\nJane would like to recall the message.", "Bridge opens", None),
        ("Просим отозвать пресс-релиз «Мост открыт».", "Мост открыт", None),
        ("Внимание, редакторы! Заметку «Мост открыт» просим снять с публикации.", "Мост открыт", None),
        ("ОТЗЫВ: Мост открыт\n\nПросим не публиковать новость от 22 ноября.", "Мост открыт", None),
    ],
)  # fmt: skip
def test_a_kill_names_what_it_kills(text: str, title: str | None, number: str | None) -> None:
    """For the desk: a notice is told from news, with the title or number to look for."""
    envelope = opened(text)
    assert envelope.kills is not None
    assert (envelope.kills.title, envelope.kills.number) == (title, number)
    assert envelope.lines


@pytest.mark.parametrize(
    "text",
    [
        "RECALL: Karvel dairy takes back milk\n\nThe dairy recalls ten tonnes of milk, it said on Sunday.",
        "Recall of 20,000 cars ordered\n\nThe maker recalls 20,000 cars, it said in a statement on Sunday.",
        "Kill the bill, say farmers\n\nFarmers met in Ostan on Sunday to speak about the bill.",
        "Flash flood hits Karvel\n\nA flood hit Karvel on Sunday, the ministry said in a statement.",
        "Urgent repairs start on the bridge\n\nRepairs of the bridge began on Sunday, the city said.",
        "Срочно нужна кровь\n\nВ больнице Остана нужна кровь, сообщил врач в воскресенье утром.",
        "Correction officers strike\n\nOfficers of the prison went on strike on Sunday, they said.",
        "Updated: 22 November 2026\n\nBridge opens\n\nThe bridge was opened on Sunday, the ministry said.",
        "From: the sea to the hills, Karvel is dry\n\nThere was no rain on Sunday, the ministry said.",
        "Citizens' meeting\n\nDate: 15 December 2026\n\nPlace: Town hall\n\nThe city invites all to a meeting.",
        "Contact: Karvel and its neighbours talk again\n\nThe talks were opened on Sunday, the ministry said.",
        f"{EN}\n\nFor more information call the water board on +993 12 345678.\n\nIt is free.\n\nCars:\n\nBuses\n\nLorries",
        "Photo: how the bridge was built\n\nThe bridge was built in five years, the ministry said.",
        "Withdrawn troops return\n\nWithdrawn from the border, 300 soldiers returned on Sunday, the army said.",
        "The report of the court was withdrawn after a row\n\nIt was withdrawn on Sunday, the court said.",
        f"{EN}\n\nOne mail reads:\n\nFrom: Karl Uder\n\nTo: Hans Brem\n\nSubject: Elmo\n\nUder denied that he wrote it.",
        f"{EN}\n\nThe End\n\nwas the last thing on the screen. All wept.",
        f"{EN}\n\nPhoto: the word that everybody said at the party of the exchange.",
        f"{EN}\n\nResidents who need help can call:\n\nEmergency line: 0800 100 200\n\nRed Cross: +99 44 555 66 77",
        f"{EN}\n\nWitnesses are asked to contact the police:\n\nTel. 0800 777 111",
        f"{EN}\n\nAbout the project\n\nThe project began in 2020, the minister said.\n\nIt ends in 2030.",
        f"{EN}\n\nAbout Karvel\n\nKarvel became a port on 5 May 1920.\n\nWhat comes next\n\nA second bridge.",
        f"{RU}\n\nО мосте\n\nМост строили пять лет, сказал министр.",
        f"{EN}\n\nThe winners:\n\nAnna Orlova\n\nTom Harrow",
        f"{EN}\n\nRoads closed:\n\nCanal Street\n\nHigh Street\n\nhttps://karte.example\n\nQuestions to map@city.example",
        f"{EN}\n\nQuestions to map@city.example or on www.city.example. The hotline +993 12 345678 is open.",
    ],
)  # fmt: skip
def test_copy_that_looks_like_an_envelope_stays(text: str) -> None:
    """For the reader: when in doubt, it is copy."""
    envelope = opened(text)
    assert (copy_of(envelope), envelope.cuts, envelope.kills) == (text, (), None)


@pytest.mark.parametrize(
    ("below", "kinds"),
    [
        ("-30-", "label"),
        ("- ENDS -", "label"),
        ("END\n\nKarvel Bridges owns ten bridges.", "label boilerplate"),
        ("(Reporting by Dana Ilves; Editing by Tom Harrow)", "boilerplate"),
        ("About Karvel Bridges\nKarvel Bridges owns ten bridges.\n\nNotes to editors:\n1. It has two lanes.", "boilerplate"),
        ("About Karvel Bridges: Karvel Bridges owns ten bridges.", "boilerplate"),
        ("Photo: The bridge, Ostan. (Dana Ilves/KNA)\n\nTags: bridge, port\nShare on Facebook | Telegram\n© 2026 KNA. All rights reserved.", "furniture boilerplate"),
        ("Read also: The bridge in figures\n\nSubscribe to our newsletter", "furniture boilerplate"),
        ("Kind regards,\nJane Roe\nHead of the desk", "header boilerplate"),
        ("For media enquiries contact:\nJane Roe, +993 12 345678, jane@bridges.example", "contact"),
        ("Jane Roe\nHead of Communications\nKarvel Bridges\njane@bridges.example", "contact"),
        ("Ends\n\nNotes for editors:\n- It has two lanes.\n\nMedia contact: Jane Roe, +993 12 345678", "label boilerplate contact"),
        ("КОНЕЦ", "label"),
        ("NNNN", "label"),
        ("am/jk/ps", "label"),
        ("Jane Moll\nHead of Communications\nm: +44 7700 900 321\ne: jane.moll@council.example", "contact"),
        ("Interview requests: Al Beck, al.beck@council.example / 07700 900322", "contact"),
        ("For media queries please WhatsApp Rosa on 07700900323.", "contact"),
        ("По вопросам аккредитации: Пётр Ом, 8 900 111 22 02", "contact"),
        ("--\nОльга Зимина\nпресс-секретарь\n+7 900 555 44 33", "label contact"),
        ("Нашли ошибку? Выделите её и нажмите Ctrl+Enter", "boilerplate"),
        ("Примечание для редакторов:\nМост строили пять лет.\n\nО компании\nКомпания владеет мостами.", "boilerplate"),
        ("Фото: мост, Остан\n\nТеги: мост\nПоделиться: ВКонтакте | Telegram\n© 2026 КНА. Все права защищены.", "furniture boilerplate"),
        ("Подписывайтесь на наш канал в Telegram", "boilerplate"),
        ("С уважением,\nпресс-служба", "header contact"),
        ("Контакты для СМИ: Анна Орлова, тел. +993 12 345678", "contact"),
    ],
)  # fmt: skip
def test_what_is_below_copy_is_cut(below: str, kinds: str) -> None:
    """For the reader: end marks, notes, captions and contacts are kept for editors only."""
    copy = RU if re.search("[а-я]", below, re.IGNORECASE) else EN
    envelope = opened(f"{copy}\n\n{below}\n")
    assert copy_of(envelope) == copy
    assert {one.kind.value for one in envelope.cuts} == set(kinds.split())


@pytest.mark.parametrize(
    "line",
    [
        "Anna Orlova,\nMirzan",
        "Anna Orlova\nMirzan correspondent",
        "Anna Orlova, KNA",
        "By Anna Orlova in Mirzan",
        "Анна Орлова, Мирзан",
        "Анна Орлова,\nсобственный корреспондент",
    ],
)
def test_a_name_with_its_place_at_the_end_is_the_byline(line: str) -> None:
    """For the author."""
    envelope = opened(f"{EN if line.isascii() else RU}\n\n{line}\n")
    assert envelope.byline in ("Anna Orlova", "Анна Орлова")
    assert copy_of(envelope) in (EN, RU)


def test_a_correction_below_copy_is_its_line() -> None:
    """For the reader of what was wrong."""
    line = "Correction: An earlier version of this story misspelt the name of the bridge."
    envelope = opened(f"{EN}\n\n{line}\n")
    assert (envelope.correction, copy_of(envelope)) == (line, EN)


def test_only_the_sentences_of_a_contact_are_cut() -> None:
    """For the reader: the sentence after it is copy."""
    envelope = opened(
        f"{EN} For more information contact Jane Roe at jane@a.example. It is free.\n"
    )
    assert copy_of(envelope) == f"{EN} It is free."
    assert (
        cut(envelope, CutKind.CONTACT) == "For more information contact Jane Roe at jane@a.example."
    )


PIECES = (
    "URGENT", "UPDATE 2-Title", "KILL: it", "Recall of release No. 1/2", "Embargo: 10:00, 5 May", "5 May 2026",
    "From: a@b.test", "To: c@d.test", "Subject: Re: it", "Slug: A-B", "Wide: open", "> quoted text", "> more",
    "-----Original Message-----", "Dear all,", "Contact: Jane Roe, +993 12 345678", "Jane Roe", "Mirzan", "ENDS",
    "About Karvel Water", "Notes to editors:", "Photo: a bridge", "Tags: a, b", "© 2026", "С уважением,", "ЭМБАРГО",
    "Title of a piece", "On 5 May 2023, a text was written about it.", "For more information, call Jane Roe.", "",
)  # fmt: skip


def words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[^\W_]+", text))


@given(
    st.one_of(st.text(max_size=300), st.lists(st.sampled_from(PIECES), max_size=25).map("\n".join))
)
@settings(max_examples=300)
def test_no_word_is_lost(text: str) -> None:
    """For the editor: each word of a document is copy, in a field or in a cut."""
    lines = split_lines(text)
    envelope = open_envelope(lines, ASHGABAT)
    parts = [line.text for line in (*envelope.lines, envelope.title) if line]
    kept = words(" ".join([*parts, *(one.text for one in envelope.cuts)]))
    assert not words(" ".join(line.text for line in lines)) - kept
