"""Letters as large mail systems write them; all names, places and hosts are invented.

Each form is a function that makes a letter from a server's answer. `LETTERS` gives each letter its right
kind: half of those that did not arrive are about living people.
"""

import json

from digest.bounces.reports import ReturnKind as K
from digest.mail.tokens import DeliveryKey, token_for

KEY = b"a key of 32 bytes for the tests."
DELIVERY = DeliveryKey(48, 1234)
TOKEN = token_for(KEY, *DELIVERY)
WHO = "oksana@reka.example"

OURS = f"""Return-Path: <bounces+{TOKEN}@news.example>
Received: from mail.news.example by mx.reka.example with ESMTP id 7Q2; Mon, 30 Nov 2026 08:00:04 +0000
From: Newsroom <digest@news.example>
To: Oksana <{WHO}>
Subject: Bank account closed: no such user
Message-ID: <weekly.48.{TOKEN}@news.example>
Content-Type: text/plain; charset=us-ascii

The mailbox is full and the user is unknown.
"""


def head(sender: str, subject: str, more: str = "") -> str:
    return (
        f"From: {sender}\nTo: bounces+{TOKEN}@news.example\nSubject: {subject}\n"
        f"Date: Mon, 30 Nov 2026 08:00:09 +0000\nMessage-ID: <42@mx.reka.example>\n{more}MIME-Version: 1.0\n"
    )


def text(sender: str, subject: str, words: str, more: str = "") -> str:
    charset = "" if "Content-T" in more else "Content-Type: text/plain; charset=utf-8\n"
    return f"{head(sender, subject, more)}{charset}\n{words}\n"


def report(sender: str, subject: str, words: str, fields: str, more: str = "") -> str:
    return (
        head(sender, subject, more)
        + 'Content-Type: multipart/report; report-type=delivery-status; boundary="=_r"\n\n'
        + f"This is a MIME-encapsulated message.\n\n--=_r\nContent-Type: text/plain\n\n{words}\n\n"
        + f"--=_r\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.reka.example\n\n{fields}\n"
        + f"--=_r\nContent-Type: message/rfc822\n\n{OURS}\n--=_r--\n"
    )


def fields(status: str, answer: str, action: str = "failed") -> str:
    diagnostic = f"Diagnostic-Code: smtp; {answer}\n" if answer else ""
    return f"Final-Recipient: rfc822; {WHO}\nAction: {action}\nStatus: {status}\n{diagnostic}"


DAEMON = "MAILER-DAEMON@mx.reka.example (Mail Delivery System)"
NULL = "Return-Path: <>\n"


def postfix(answer: str, status: str = "5.0.0", action: str = "failed") -> str:
    words = (
        "This is the mail system at host mx.reka.example.\n\nI'm sorry to have to inform you that your "
        "message could not\nbe delivered to one or more recipients. It's attached below.\n\n"
        f"                   The mail system\n\n<{WHO}>: host mx.reka.example[192.0.2.7] said:\n"
        f"    {answer} (in reply to RCPT TO command)"
    )
    subject = "Undelivered Mail Returned to Sender"
    return report(DAEMON, subject, words, fields(status, answer, action), NULL)


def late(letter: str) -> str:
    return letter.replace("in reply to RCPT TO", "in reply to end of DATA")


def postfix_text(answer: str) -> str:
    words = (
        "This is the Postfix program at host mx.reka.example.\n\nI'm sorry to have to inform you that the "
        "message returned\nbelow could not be delivered to one or more destinations.\n\n"
        f"                        The Postfix program\n\n<{WHO}>: {answer}\n\n{OURS}"
    )
    return text(DAEMON, "Undelivered Mail Returned to Sender", words)


def exim(answer: str) -> str:
    words = (
        "This message was created automatically by mail delivery software.\n\nA message that you sent "
        "could not be delivered to one or more of its\nrecipients. This is a permanent error. The "
        f"following address(es) failed:\n\n  {WHO}\n    {answer}\n\n"
        f"------ This is a copy of the message, including all the headers. ------\n\n{OURS}"
    )
    more = f"X-Failed-Recipients: {WHO}\nAuto-Submitted: auto-replied\n"
    sender = "Mail Delivery System <Mailer-Daemon@relay.hafen.example>"
    return text(sender, "Mail delivery failed: returning message to sender", words, more)


def qmail(answer: str) -> str:
    words = (
        "Hi. This is the qmail-send program at mx.reka.example.\nI'm afraid I wasn't able to deliver your "
        "message to the following addresses.\nThis is a permanent error; I've given up. Sorry it didn't "
        f"work out.\n\n<{WHO}>:\n{answer}\n\n--- Below this line is a copy of the message.\n\n{OURS}"
    )
    return text("MAILER-DAEMON@mx.reka.example", "failure notice", words, NULL)


def sendmail(answer: str, status: str = "") -> str:
    words = (
        "The original message was received at Mon, 30 Nov 2026 08:00:04 GMT\nfrom mail.news.example "
        "[192.0.2.1]\n\n   ----- The following addresses had permanent fatal errors -----\n"
        f"<{WHO}>\n    (reason: {answer})\n\n   ----- Transcript of session follows -----\n"
        f"... while talking to mx.reka.example.:\n>>> RCPT To:<{WHO}>\n<<< {answer}\n"
        f"550 5.1.1 <{WHO}>... User unknown"
    )
    sender, subject = (
        "Mail Delivery Subsystem <MAILER-DAEMON@relay.hafen.example>",
        "Returned mail: see transcript for details",
    )
    if status:
        return report(sender, subject, words, fields(status, answer))
    return text(sender, subject, f"{words}\n\n   ----- Unsent message follows -----\n{OURS}")


def exchange(answer: str, advice: str = "The e-mail address you entered couldn't be found.") -> str:
    words = (
        f"Delivery has failed to these recipients or distribution lists:\n\n{WHO}\n{advice} Please check "
        "the recipient's e-mail address and try to resend the message. If the problem continues, please "
        "contact your helpdesk.\n\nDiagnostic information for administrators:\n\nGenerating server: "
        f"reka.example\n\n{WHO}\n#{answer} ##rfc822;{WHO}\n\nOriginal message headers:\n\n{OURS}"
    )
    more = "X-MS-Exchange-Message-Is-Ndr:\nAuto-Submitted: auto-replied\n"
    return text("<postmaster@reka.example>", "Undeliverable: The week in review", words, more)


def office365(answer: str) -> str:
    words = (
        f"Your message to {WHO} couldn't be delivered.\n\nHow to Fix It\nThe address may be misspelled. "
        "Clear the recipient Auto-Complete List, then send the message again.\n\nMore Info for Email "
        "Admins\nRecipient has a valid license - Make sure the recipient has a license assigned.\n"
        "Mail flow settings and MX records are not correct - Misconfigured mail flow can cause this "
        "error. The sender may be blocked by a policy.\n\nOriginal Message Details\nSender Address: "
        f"digest@news.example\nRecipient Address: {WHO}\nSubject: The week in review\n\nError Details\n"
        f"Reported error: {answer}\nDSN generated by: HAFEN22.prod.outlook.example\n\n"
        f"Original Message Headers\n\n{OURS}"
    )
    sender = "Microsoft Outlook <postmaster@hafen.example>"
    return text(sender, "Undeliverable: The week in review", words, NULL)


def exchange2003(answer: str) -> str:
    words = (
        "Your message\n\n  To:      Oksana\n  Subject: The week in review\n  Sent:    Mon, 30 Nov 2026\n\n"
        f"did not reach the following recipient(s):\n\n{WHO} on Mon, 30 Nov 2026\n    {answer}\n"
        "        MSEXCH:IMS:Reka:HAFEN:MX 0 (000C05A6)"
    )
    sender = "System Administrator <postmaster@reka.example>"
    return text(sender, "Undeliverable: The week in review", words)


def domino(answer: str) -> str:
    words = (
        f"Your message\n\n  Subject: The week in review\n\nwas not delivered to:\n\n  {WHO}\n\n"
        f"because:\n\n  {answer}\n"
    )
    return text("Postmaster@reka.example", f"DELIVERY FAILURE: {answer}", words)


def opensmtpd(answer: str) -> str:
    words = (
        "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this e-mail.\n\n    An error has "
        "occurred while attempting to deliver a message for\n    the following list of recipients:\n\n"
        f"{WHO}: {answer}\n\n    Below is a copy of the original message:\n\n{OURS}"
    )
    sender, subject = (
        "Mailer Daemon <MAILER-DAEMON@mx.reka.example>",
        "Delivery status notification: error",
    )
    return text(sender, subject, words, "Content-Transfer-Encoding: 8bit\n")


def gmail(answer: str) -> str:
    words = (
        f"Delivery to the following recipient failed permanently:\n\n     {WHO}\n\nTechnical details of "
        "permanent failure: \nGoogle tried to deliver your message, but it was rejected by the server for "
        "the recipient domain reka.example by mx.reka.example. [192.0.2.7].\n\nThe error that the other "
        f"server returned was:\n{answer}\n\n\n----- Original message -----\n\n{OURS}"
    )
    sender = "Mail Delivery Subsystem <mailer-daemon@mail.example>"
    more = f"X-Failed-Recipients: {WHO}\n{NULL}"
    return text(sender, "Delivery Status Notification (Failure)", words, more)


def yandex(answer: str, status: str) -> str:
    words = (
        "Это письмо отправлено почтовым сервером pochta.example.\n\nК сожалению, мы вынуждены сообщить Вам "
        "о том, что Ваше письмо не может\nбыть отправлено одному или нескольким адресатам. Причины указаны "
        f"ниже.\n\n<{WHO}>: host mx.reka.example[192.0.2.7] said: {answer}"
    )
    return report(
        "mailer-daemon@pochta.example", "Недоставленное сообщение", words, fields(status, answer)
    )


def mailru(answer: str) -> str:
    words = (
        "Это письмо создано автоматически сервером почты, отвечать на него не нужно.\n\nК сожалению, Ваше "
        f"письмо не может быть доставлено одному или нескольким получателям:\n\n  {WHO}\n    SMTP error from "
        f"remote mail server after RCPT TO:<{WHO}>:\n    host mx.reka.example [192.0.2.7]: {answer}\n\n"
        "Рекомендуем Вам проверить корректность указания адресов получателей.\n\n"
        f"------ This is a copy of the message, including all the headers. ------\n\n{OURS}"
    )
    more = f"X-Failed-Recipients: {WHO}\nAuto-Submitted: auto-replied\nContent-Transfer-Encoding: 8bit\n"
    return text(
        "mailer-daemon@corp.pochta.example",
        "Ваше сообщение не доставлено. Mail failure.",
        words,
        more,
    )


def yahoo(answer: str) -> str:
    words = (
        f"Sorry, we were unable to deliver your message to the following address.\n\n<{WHO}>:\n{answer}\n\n"
        f"--- Below this line is a copy of the message.\n\n{OURS}"
    )
    return text("MAILER-DAEMON@mail.hafen.example", "Failure Notice", words)


def ezweb(answer: str) -> str:
    words = (
        "次のあて先へのメッセージはエラーのため送信できませんでした。\n\n送信先メールアドレスが見つからないか、\n"
        "送信先メールサーバの事由により送信できませんでした。\n\nEach of the following recipients was rejected "
        f"by a remote\nmail server.\n\n    Recipient: <{WHO}>\n    >>> RCPT TO:<{WHO}>\n    <<< {answer}\n"
    )
    return text("Postmaster@keitai.example", "Mail System Error - Returned Mail", words)


def ses(kind: str, details: dict[str, object], *, envelope: bool = False) -> str:
    mail = {
        "source": f"bounces+{TOKEN}@news.example",
        "destination": [WHO],
        "commonHeaders": {"messageId": f"<weekly.48.{TOKEN}@news.example>"},
    }
    body = json.dumps({"notificationType": kind, kind.lower(): details, "mail": mail})
    if envelope:
        body = json.dumps({"Type": "Notification", "MessageId": "7", "Message": body}, indent=2)
    stop = "--\nIf you wish to stop receiving notifications from this topic, please visit the link below:"
    sender = "AWS Notifications <no-reply@sns.cloud.example>"
    return text(
        sender, "AWS Notification Message", f"{body}\n\n{stop}\nhttps://sns.cloud.example/x\n"
    )


def ses_bounce(kind: str, subtype: str, answer: str, *, envelope: bool = False) -> str:
    recipient = {"emailAddress": WHO, "action": "failed", "diagnosticCode": f"smtp; {answer}"}
    details = {"bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": [recipient]}
    return ses("Bounce", details, envelope=envelope)


def person(subject: str, words: str, more: str = "") -> str:
    return text("Oksana <oksana@reka.example>", subject, words, more)


GOOGLE_GONE = (
    "550-5.1.1 The email account that you tried to reach does not exist. Please try\n    550-5.1.1 "
    "double-checking the recipient's email address for typos or\n    550-5.1.1 unnecessary spaces. Learn "
    "more at\n    550 5.1.1 https://support.mail.example/mail/?p=NoSuchUser a1-20020 - gsmtp"
)
UNKNOWN_USER = (
    f"550 5.1.1 <{WHO}>: Recipient address rejected: User unknown in virtual mailbox table"
)
FULL = "552 5.2.2 The recipient's mailbox is over quota"
SPF = "550 5.7.23 The message was rejected because of Sender Policy Framework violation"

Letter = tuple[str, str, K, str]
LETTERS: list[Letter] = [
    ("postfix", "dead", K.HARD, postfix(UNKNOWN_USER, "5.1.1")),
    ("postfix", "dead: Gmail", K.HARD, postfix(GOOGLE_GONE, "5.1.1")),
    ("postfix", "dead: Office 365", K.HARD, postfix(f"550 5.4.1 [{WHO}]: Recipient address rejected: Access denied. AS(201806281)", "5.4.1")),
    ("postfix", "dead: web.de", K.HARD, postfix("550 Requested action not taken: mailbox unavailable")),
    ("postfix", "dead: Orange", K.HARD, postfix("550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR204_416", "5.1.1")),
    ("postfix", "dead: QQ", K.HARD, postfix("550 Mailbox not found. http://service.mail.example/help")),
    ("postfix", "dead: 163", K.HARD, postfix(f"550 User not found: {WHO}")),
    ("postfix", "dead: UOL", K.HARD, postfix("550 5.1.1 Usuário inexistente", "5.1.1")),
    ("postfix", "dead: no domain", K.HARD, postfix("Host or domain name not found. Name service error for name=reka.example type=A: Host not found", "5.4.4")),
    ("postfix", "dead: null MX", K.HARD, postfix("Domain reka.example does not accept mail (nullMX)", "5.1.0")),
    ("postfix", "living: DNS fails", K.SOFT, postfix("Host or domain name not found. Name service error for name=reka.example type=MX: Host not found, try again", "4.4.3")),
    ("postfix", "living: SPF", K.POLICY, postfix(SPF, "5.7.23")),
    ("postfix", "living: 5.1.1 and a block list", K.POLICY, postfix("550 5.1.1 Service refused, see https://www.spamhaus.org/query/ip/192.0.2.1", "5.1.1")),
    ("postfix", "living: no connection", K.SOFT, postfix("connect to mx.reka.example[192.0.2.7]:25: Connection timed out", "4.4.1")),
    ("postfix", "dead: harmless host name", K.HARD, postfix("550 5.1.1 <spam@policy.block.example>: user unknown", "5.1.1")),
    ("postfix", "living: a filter after the address was taken", K.POLICY, late(postfix("550 : User unknown"))),
    ("postfix", "dead: 5.1.1 after the address was taken", K.HARD, late(postfix(UNKNOWN_USER, "5.1.1"))),
    ("postfix text", "dead", K.HARD, postfix_text(f"unknown user: \"{WHO}\"")),
    ("postfix text", "living: full", K.SOFT, postfix_text("maildrop: maildir over quota.")),
    ("exim", "dead", K.HARD, exim("Unrouteable address")),
    ("exim", "dead: iCloud", K.HARD, exim(f"host mx.hafen.example [192.0.2.9]: 550 5.1.1 unknown or illegal alias: {WHO}")),
    ("exim", "living: retry time", K.SOFT, exim("retry time not reached for any host after a long failure period")),
    ("exim", "living: sender verify", K.POLICY, exim("host mx.reka.example [192.0.2.7]: 550-Verification failed for <digest@news.example>\n    550-no such user here\n    550 Sender verify failed")),
    ("qmail", "dead", K.HARD, qmail("192.0.2.7 does not like recipient.\nRemote host said: 550 sorry, no mailbox here by that name. (#5.7.17)\nGiving up on 192.0.2.7.")),
    ("qmail", "dead: no host", K.HARD, qmail("Sorry, I couldn't find any host named reka.example. (#5.1.2)")),
    ("qmail", "living: no connection", K.SOFT, qmail("Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)\nI'm not going to try again; this message has been in the queue too long.")),
    ("sendmail", "dead", K.HARD, sendmail("550 5.1.1 <oksana>... User unknown", "5.1.1")),
    ("sendmail", "living: relaying", K.POLICY, sendmail("550 5.7.1 <oksana>... Relaying denied", "5.7.1")),
    ("sendmail text", "dead", K.HARD, sendmail("550 No such user here")),
    ("sendmail text", "living: its own summary", K.POLICY, sendmail("553 5.7.606 Access denied, banned sending IP [192.0.2.1]")),
    ("exchange text", "dead", K.HARD, exchange("550 5.1.1 RESOLVER.ADR.RecipNotFound; not found")),
    ("exchange text", "living: full", K.SOFT, exchange("550 5.2.2 STOREDRV.Deliver: mailbox full.", "The recipient's mailbox is full and can't accept messages now.")),
    ("exchange text", "living: restricted", K.POLICY, exchange("550 5.7.1 RESOLVER.RST.AuthRequired; authentication required", "Delivery to this address is restricted.")),
    ("exchange 2003", "dead", K.HARD, exchange2003("The recipient name is not recognized")),
    ("exchange 2003", "living: no space", K.SOFT, exchange2003("The recipient's mailbox is full")),
    ("office 365 text", "dead", K.HARD, office365("550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by SMTP address lookup")),
    ("office 365 text", "living: loop", K.SOFT, office365("554 5.4.14 Hop count exceeded - possible mail loop ATTR34")),
    ("domino", "dead", K.HARD, domino(f"User Oksana ({WHO}) not listed in Domino Directory")),
    ("domino", "dead: Japanese", K.HARD, domino(f"ユーザー Oksana ({WHO}) は Domino ディレクトリには見つかりません。")),
    ("domino", "living: too large", K.POLICY, domino("Message size exceeds the maximum size allowed by the server")),
    ("opensmtpd", "dead", K.HARD, opensmtpd("550 5.1.1 Invalid recipient")),
    ("opensmtpd", "living: no route", K.SOFT, opensmtpd("Network error on destination MXs: No route to host")),
    ("gmail", "dead", K.HARD, gmail("550 5.1.1 User unknown")),
    ("gmail", "living: our header", K.POLICY, gmail("554 5.7.0 Header error (state 18).")),
    ("gmail", "living: full, with a warning about a link", K.SOFT, gmail("552 5.2.2 over quota\n(Warning: This link will take you to a third-party site)")),
    ("yandex", "dead", K.HARD, yandex("550 5.7.1 No such user!", "5.7.1")),
    ("yandex", "living: spam", K.POLICY, yandex("554 5.7.1 [2] Message rejected under suspicion of SPAM", "5.7.1")),
    ("mail.ru", "dead", K.HARD, mailru("550 Message was not accepted -- invalid mailbox.  Local mailbox oksana@reka.example is unavailable: user not found")),
    ("mail.ru", "living: full", K.SOFT, mailru("550 В ящике получателя нет места, квота исчерпана")),
    ("yahoo", "dead", K.HARD, yahoo("554: delivery error: dd This user doesn't have a yahoo.example account (oksana) [0]")),
    ("yahoo", "dead: closed", K.HARD, yahoo("554: delivery error: dd This account has been disabled or discontinued [#102]")),
    ("yahoo", "living: limited", K.POLICY, yahoo("554: Message not allowed - [299] too many messages from your IP")),
    ("ezweb", "dead", K.HARD, ezweb(f"550 <{WHO}>: User unknown")),
    ("ezweb", "living: refused", K.POLICY, ezweb("550 SC-004 too many unwanted messages have been sent from your IP address")),
    ("ses", "dead", K.HARD, ses_bounce("Permanent", "General", "550 5.1.1 user unknown")),
    ("ses", "dead: in an envelope", K.HARD, ses_bounce("Permanent", "General", "550 5.1.1 user unknown", envelope=True)),
    ("ses", "living: full", K.SOFT, ses_bounce("Transient", "MailboxFull", "552 5.2.2 over quota")),
    ("ses", "living: its own list", K.SOFT, ses_bounce("Permanent", "OnAccountSuppressionList", "Amazon SES did not send the message to this address because it is on the suppression list for your account; invalid address")),
    ("ses", "living: undetermined", K.SOFT, ses_bounce("Undetermined", "Undetermined", "550 5.1.1 user unknown")),
    ("ses", "living: content", K.POLICY, ses_bounce("Transient", "ContentRejected", "550 no")),
    ("ses", "complaint", K.COMPLAINT, ses("Complaint", {"complainedRecipients": [{"emailAddress": WHO}], "complaintFeedbackType": "abuse"})),
    ("ses", "delivery", K.DELIVERED, ses("Delivery", {"recipients": [WHO], "smtpResponse": "250 ok"}, envelope=True)),
    ("german", "dead", K.HARD, postfix("550 Der Benutzer existiert nicht")),
    ("german", "living: full", K.SOFT, postfix("550 Das Postfach des Empfängers ist voll")),
    ("french", "dead", K.HARD, postfix("550 5.1.1 Utilisateur inconnu", "5.1.1")),
    ("french", "living: sender", K.POLICY, postfix("550 5.1.0 Emetteur invalide. Invalid Sender. OFR004_102", "5.1.0")),
    ("spanish", "dead", K.HARD, postfix("550 No existe dicha persona")),
    ("spanish", "living: later", K.SOFT, postfix("550 Buzón bloqueado temporalmente, pruebe más tarde")),
    ("chinese", "dead", K.HARD, postfix("550 收件人不存在")),
    ("chinese", "living: full", K.SOFT, postfix("550 用户邮箱空间已满")),
    ("postfix", "delayed", K.DELAYED, postfix("connect to mx.reka.example: Connection refused", "4.4.1", "delayed")),
    ("exim", "delayed in words", K.DELAYED, text("Mail Delivery System <Mailer-Daemon@relay.hafen.example>", "Warning: message 1ab-cd delayed 24 hours", f"A message that you sent has not yet been delivered to one or more of its\nrecipients after more than 24 hours on the queue.\n\n  {WHO}\n\nNo action is required on your part. Delivery attempts will continue for\nsome time.")),
    ("postfix", "delivered", K.DELIVERED, postfix("250 2.1.5 Ok", "2.1.5", "delivered")),
    ("relay", "delivered in words", K.DELIVERED, text("postmaster@reka.example", "Delivered: The week in review", f"Your message was successfully delivered to {WHO}.", NULL)),
    ("person", "vacation", K.VACATION, person("Automatic reply: The week in review", "I am away. Mail to oks@reka.example fails: 550 5.1.1 user unknown.", NULL)),
    ("person", "vacation without a header", K.VACATION, person("The week in review", "I am on vacation until Monday.", NULL)),
    ("person", "challenge", K.VACATION, person("Please confirm", "This mailbox is protected. Click the link to show that you are a human.", NULL)),
    ("person", "challenge of a spam filter", K.VACATION, person("Re: The week in review", "I apologize for this automatic reply. To control spam, I allow mail only from senders I have approved.", NULL)),
    ("person", "away in other words", K.VACATION, person("Re: The week in review", "Merci. Je suis absente jusqu'au 5.", NULL)),
    ("program", "ticket", K.VACATION, person("[#123] We received your message", "Your ticket was created.", NULL)),
    ("robot", "dead", K.HARD, text("postmaster@reka.example", "Mail Delivery Error", f"{WHO} - no such mailbox here.\n\nBelow is the header from the original message:\n\nSubject: spam", NULL)),
    ("list", "living: loop", K.SOFT, text("list-admin@reka.example", "Loop Alert: Duplicated Message-ID", "Duplicated Message-ID in <list@reka.example>.")),
    ("filter", "living: sender is empty", K.SOFT, text("<>", "The week in review", "Your message could not be sent.", NULL)),
    ("person", "writes", K.UNKNOWN, person("Re: The week in review", "Thank you. Is there no such user in the third story?")),
    ("person", "forwards a bounce", K.UNKNOWN, person("Fwd: Undelivered Mail Returned to Sender", "Look what came back:\n\n   ----- The following addresses had permanent fatal errors -----\n<anna@reka.example>\n\n   ----- Transcript of session follows -----\n550 5.1.1 <anna@reka.example>... User unknown")),
    ("person", "writes of a mail problem", K.UNKNOWN, person("Mail problem", "I wrote to the editor and got: 550 5.1.1 no such user.")),
    ("person", "writes of an error", K.UNKNOWN, person("Письмо не доставлено в министерство", "В статье неверный адрес: 550 5.1.1 нет такого адреса.")),
    ("person", "a postmaster writes", K.UNKNOWN, text("Postmaster <postmaster@reka.example>", "Re: The week in review", "Thank you. The address on page 2 gives 550 5.1.1 user unknown.", "Return-Path: <postmaster@reka.example>\n")),
    ("person", "of that name", K.UNKNOWN, text("Jane, Mail Administrator <jane@reka.example>", "The week in review", "The address on page 2 gives: user unknown.")),
    ("person", "quotes a bounce", K.UNKNOWN, person("failed mail to my friend", "Hi. This is the qmail-send program at reka.example.\n\n<friend@reka.example>:\n550 5.1.1 no such user\n")),
    ("person", "has a new address", K.VACATION, person("Neue Adresse", "Meine alte Adresse existiert nicht mehr, bitte schreiben Sie an mich hier.", NULL)),
    ("person", "is away, in Russian", K.VACATION, person("Меня нет", "Адрес petrov@reka.example больше не существует, пишите мне.", NULL)),
    ("person", "has not read it", K.VACATION, head("Oksana <oksana@reka.example>", "Not read: The week") + 'Content-Type: multipart/report; report-type=disposition-notification; boundary="=_m"\n\n--=_m\nContent-Type: text/plain\n\nDeleted unread: user unknown.\n\n--=_m\nContent-Type: message/disposition-notification\n\nDisposition: automatic-action/MDN-sent-automatically; deleted\n\n--=_m--\n'),
    ("russian", "delayed, with the reason", K.DELAYED, text(DAEMON, "Доставка задержана", "Доставка задержана. Попытки будут продолжены. Причина: нет такого адреса", NULL)),
    ("french", "delayed, with the reason", K.DELAYED, text(DAEMON, "Retard", "La remise de votre message est retardée. Adresse inconnue.", NULL)),
    ("japanese", "delayed, with the reason", K.DELAYED, text(DAEMON, "配信遅延", "配信が遅れています。宛先不明", NULL)),
    ("postfix", "living: our own address", K.POLICY, postfix("550 5.1.1 <digest@news.example>: user unknown", "5.1.1")),
    ("postfix", "living: our return path", K.POLICY, postfix(f"550 5.1.1 <bounces+{TOKEN}@news.example>: user unknown", "5.1.1")),
    ("postfix", "living: the sender is unknown", K.POLICY, postfix("550 5.1.7 Sender user unknown", "5.1.7")),
]  # fmt: skip


def in_charset(letter: str, charset: str) -> bytes:
    """The letter in an encoding that it does not name."""
    return letter.replace("; charset=utf-8", "").encode(charset)
