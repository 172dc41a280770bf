"""Press releases in the forms in which mail programs and lists send them: only the copy is published."""

import textwrap
from email.message import EmailMessage
from zoneinfo import ZoneInfo

import pytest

from digest.errors import DocumentError
from digest.model import Entry
from digest.sources.documents import read_entries
from digest.sources.formats import read_document

TITLE = "New container control unit opens at the port of Turkmenbashi"
COPY = (
    "ASHGABAT, 22 November 2026 – Customs officers of Turkmenistan opened a new container control unit at the port of Turkmenbashi on Friday, with the support of the United Nations Office on Drugs and Crime.",
    "The unit is the third in the country. It will profile containers that cross the Caspian Sea, the State Customs Service said.",
)
TEXT = "\n\n".join(COPY)
RU_TITLE = "В порту Туркменбаши открыт новый отдел контроля контейнеров"
RU_COPY = (
    "АШХАБАД, 22 ноября 2026 года. Таможенники Туркменистана открыли в пятницу в порту Туркменбаши новый отдел контроля контейнеров при поддержке Управления ООН по наркотикам и преступности.",
    "Это третий отдел в стране. Он будет проверять контейнеры, которые пересекают Каспийское море, сообщила Государственная таможенная служба.",
)
RU_TEXT = "\n\n".join(RU_COPY)
WRAPPED = "\n\n".join(textwrap.fill(one, 72) for one in COPY)
FLOWED = "\n\n".join(" \n".join(textwrap.wrap(one, 70)) for one in (TITLE, *COPY))
EN, RU = f"{TITLE}\n\n{TEXT}", f"{RU_TITLE}\n\n{RU_TEXT}"
HTML = f"<h1>{TITLE}</h1><p>{COPY[0]}</p><p>{COPY[1]}</p>"
FORWARD = f"---------- Forwarded message ---------\nFrom: UNODC Press <press@un.example>\nDate: Sat, 21 Nov 2026 at 18:02\nSubject: {TITLE}\nTo: <media@lists.un.example>\n\n\n"


def mail(
    text: str = "",
    html: str = "",
    subject: str = "",
    charset: str = "utf-8",
    cte: str = "8bit",
    **more: str,
) -> bytes:
    message = EmailMessage()
    message["From"] = "Press office <press@un.example>"
    message["Subject"] = subject or (RU_TITLE if RU_TITLE in text + html else TITLE)
    message["Date"] = "Sun, 22 Nov 2026 09:15:00 +0500"
    for name, value in more.items():
        message[name.replace("_", "-")] = value
    if text:
        message.set_content(text, charset=charset, cte=cte)
    if html:
        add = message.add_alternative if text else message.set_content
        add(html, subtype="html")
    return message.as_bytes()


def read(data: bytes) -> list[Entry]:
    return read_entries("a.eml", read_document("a.eml", data).lines, ZoneInfo("Asia/Ashgabat"))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            mail(
                f"{TITLE}\n\n{WRAPPED}\n\n-- \nAnna Petrova\nPress officer\nUNODC\n+993 12 345678\nanna.petrova@un.example\n",
                subject=f"Press release: {TITLE}",
            ),
            id="wrapped, with a signature",
        ),
        pytest.param(
            mail(
                html=f"<html><head><style>p{{margin:0}}</style></head><body><img src='https://t.example/o.gif' width=1 height=1><table><tr><td><a href='https://t.example/c'><img src='l.png' alt='UNODC'></a></td></tr><tr><td>{HTML}<a href='https://t.example/d'>Read more</a></td></tr><tr><td><p>You received this email because you subscribed to UNODC news.</p><p><a href='https://u.example'>Unsubscribe</a> | <a href='https://v.example'>View in browser</a></p><p>© 2026 UNODC. All rights reserved.</p></td></tr></table></body></html>"
            ),
            id="HTML with a tracking pixel",
        ),
        pytest.param(
            mail("View this email in your browser: https://x.example/1", HTML), id="a stub and HTML"
        ),
        pytest.param(mail(EN, HTML), id="text and HTML"),
        pytest.param(mail(f"FYI\n\n{FORWARD}{TEXT}\n", subject=f"Fwd: {TITLE}"), id="forwarded"),
        pytest.param(
            mail(
                html=f"<div>see below<br><br><div>---------- Forwarded message ---------<br>From: <b>UNODC Press</b> &lt;<a href='mailto:press@un.example'>press@un.example</a>&gt;<br>Date: Sat, 21 Nov 2026 at 18:02<br>Subject: {TITLE}<br>To: &lt;media@un.example&gt;<br></div><br><p>{COPY[0]}</p><p>{COPY[1]}</p></div>",
                subject=f"Fwd: {TITLE}",
            ),
            id="forwarded as HTML",
        ),
        pytest.param(
            mail(f"{FLOWED}\n\n-- \nPress office\n").replace(
                b'charset="utf-8"', b'charset="utf-8"; format=flowed'
            ),
            id="flowed",
        ),
        pytest.param(
            mail(
                f"{WRAPPED}\n\n{'_' * 47}\nPress mailing list\nPress@lists.un.example\nhttps://lists.un.example/press\nTo unsubscribe send an email to press-leave@lists.un.example\n",
                subject=f"Re: [Press] {TITLE}",
                List_Id="<press.lists.un.example>",
            ),
            id="a list",
        ),
        pytest.param(
            mail(
                f"{TITLE}\n\n{WRAPPED}\n\nYou are receiving this email because you are subscribed to the press list of UNODC.\nIf you no longer wish to receive these emails, unsubscribe here: https://lists.un.example/u?u=abc\nManage your preferences: https://lists.un.example/p\nUNODC, Vienna International Centre, PO Box 500, 1400 Vienna, Austria\n"
            ),
            id="a footer wider than the copy",
        ),
        pytest.param(
            mail(
                f'{TEXT}\n\n-- \nYou received this message because you are subscribed to the Google Groups "UN Press" group.\nTo unsubscribe from this group, send an email to unpress+unsubscribe@groups.example.\nTo view this discussion visit https://groups.example/abc.\n'
            ),
            id="a group",
        ),
        pytest.param(
            mail(
                f"View this email in your browser <https://m.example/1>\n\n{EN}\n\n{'=' * 60}\n** Twitter (https://twitter.com/un)\n** Website (https://un.example)\nCopyright © 2026 UNODC, All rights reserved.\n\nOur mailing address is:\nPO Box 500, Vienna\n\nWant to change how you receive these emails?\nYou can ** update your preferences (https://m.example/p)\nor ** unsubscribe from this list (https://m.example/u)\n"
            ),
            id="a mailing service",
        ),
        pytest.param(
            mail(
                f"{EN}\n\nThis e-mail and any attachments are confidential and intended solely for the addressee. If you are not the intended recipient, please notify the sender.\n\nPlease consider the environment before printing this email.\n"
            ),
            id="a disclaimer",
        ),
        pytest.param(
            mail(
                html=f"<body lang=EN><div class=WordSection1><p class=MsoNormal>Dear colleagues,<o:p></o:p></p><p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>Please find below our press release.<o:p></o:p></p><p class=MsoNormal><b>{TITLE}</b></p><p class=MsoNormal>{COPY[0]}</p><p class=MsoNormal>{COPY[1]}</p><p class=MsoNormal>Best regards,</p><p class=MsoNormal>Anna Petrova<br>Press officer<br>Tel: +993 12 345678</p></div></body>",
                subject="press release",
            ),
            id="Outlook",
        ),
        pytest.param(
            mail(
                f"PRESS RELEASE\n\nFor immediate release\n\n{EN}\n\nFor more information, please contact:\nAnna Petrova, Press officer, UNODC\nTel.: +993 12 345678\nE-mail: anna.petrova@un.example\n\n###\n\nAbout UNODC\nThe United Nations Office on Drugs and Crime helps countries fight drugs and crime.\n"
            ),
            id="labels and a contact",
        ),
        pytest.param(
            mail(
                f"{EN}\n\nRead more: https://click.example/ls?upn=u001.abc\n\nSent from my iPhone\n"
            ),
            id="a telephone",
        ),
        pytest.param(
            mail(
                f"{EN}\n\nIf you no longer wish to receive our press releases, please reply with REMOVE in the subject line.\n"
            ),
            id="no longer wish",
        ),
        pytest.param(mail(RU, charset="windows-1251", cte="base64"), id="base64 windows-1251"),
        pytest.param(
            mail(
                f"{RU}\n\n--\nС уважением,\nпресс-служба таможни\nтел.: +993 12 38 15 15\n",
                charset="koi8-r",
            ),
            id="KOI8-R",
        ),
        pytest.param(mail(RU, cte="quoted-printable"), id="quoted-printable"),
        pytest.param(
            mail(
                f"Здравствуйте, уважаемые коллеги!\n\nНаправляем вам пресс-релиз.\n\n{RU}\n\nС уважением,\nАнна Петрова\nпресс-секретарь\n+993 65 12 34 56\n\nВы получили это письмо, потому что подписаны на рассылку Таможни.\nЕсли вы больше не хотите получать наши письма, отпишитесь по ссылке: https://t.example/u\n",
                subject="Пресс-релиз",
            ),
            id="a note and a footer in Russian",
        ),
        pytest.param(
            mail(
                html=f"<h2>{RU_TITLE}</h2><p>{RU_COPY[0]}</p><p>{RU_COPY[1]}</p><hr><p>Вы получили это письмо, так как подписаны на рассылку. <a href='https://u.example'>Отписаться от рассылки</a></p><p>Письмо отправлено с помощью UniSender</p>"
            ),
            id="a mailing service in Russian",
        ),
        pytest.param(
            mail(
                f"{RU}\n\n-- \nЭто сообщение проверено на вирусы антивирусом Avast.\nwww.avast.com\n"
            ),
            id="a virus checker",
        ),
        pytest.param(
            mail(
                f"{RU}\n\n-- \nС уважением, Анна Петрова\nОтправлено из мобильной Яндекс Почты\n",
                subject=f"Fwd: {RU_TITLE}",
            ),
            id="a mobile program",
        ),
    ],
)
def test_only_the_copy_of_a_press_mail_is_published(data: bytes) -> None:
    """For readers: no names of officers, no links that unsubscribe somebody else, no disclaimers."""
    (entry,) = read(data)
    want = (RU_TITLE, RU_TEXT) if entry.text.startswith("АШ") else (TITLE, TEXT)
    assert (entry.title, entry.text) == want


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            mail(
                f"{TITLE}\n\n{COPY[0]} <https://click.un.example/ls/click?upn=u001.abc>\n\n{COPY[1]}\n\n[https://un.example/logo.png]\n"
            ),
            id="text",
        ),
        pytest.param(
            mail(
                html=f'<h1>{TITLE}</h1><p><a href="https://news.us1.list-manage.com/track/click?u=1&amp;id=2">{COPY[0]}</a></p><p>{COPY[1]}</p>'
            ),
            id="HTML",
        ),
    ],
)
def test_links_that_tell_who_followed_them_are_removed(data: bytes) -> None:
    """They name the newsroom's own address to a mailing service, at each click of a reader."""
    (entry,) = read(data)
    assert (entry.title, entry.text) == (TITLE, TEXT)
    assert "http" not in entry.content_html


def test_a_note_to_an_attachment_is_no_article() -> None:
    """For a folder of saved mails, too: it says what to save instead."""
    message = EmailMessage()
    message["Subject"] = TITLE
    message.set_content("Dear all,\n\nPlease find attached our press release.\n")
    message.add_attachment(b"%PDF", maintype="application", subtype="pdf", filename="a.pdf")
    with pytest.raises(DocumentError, match="only says what is attached to it"):
        read(message.as_bytes())


@pytest.mark.parametrize(
    "line",
    [
        "If you do not report the loss of a passport within a day, you may pay a fine, the police said.",
        "To be removed from office, a minister must lose a vote in both chambers.",
        "Если вы не хотите стать жертвой мошенников, не называйте никому код из сообщения.",
        "The ministry has opened a mailing list",
        "You get this disease from mosquito bites, doctors said on Monday.",
        "Consider the environment when you travel, the agency said.",
    ],
)
def test_copy_that_reads_like_a_footer_stays(line: str) -> None:
    """Nothing is lost: only what speaks of the mail itself is cut."""
    data = mail(
        f"{EN}\n\n{line}\n\nThe rules apply from Tuesday, the State Customs Service said.\n"
    )
    assert line in "\n".join(entry.text for entry in read(data))


def test_the_tag_of_another_than_the_list_stays_in_the_subject() -> None:
    """ "[Embargoed]" and "[Correction]" are for the desk."""
    (entry,) = read(mail(TEXT, subject=f"[Panj] {TITLE}", List_Id="<press.lists.un.example>"))
    assert entry.title == f"[Panj] {TITLE}"
