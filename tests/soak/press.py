"""Invented press copy, English and Russian, from a seed; each piece has a docket number of its own."""

import random
from dataclasses import dataclass, field
from datetime import date

from babel.dates import format_date

PLACES = {
    "en": ("Farap", "Serhetabat", "Ashgabat", "Turkmenabat", "Mary", "Dashoguz", "Balkanabat"),
    "ru": ("Фарапе", "Серхетабаде", "Ашхабаде", "Туркменабаде", "Мары", "Дашогузе", "Балканабаде"),
}
WHO = {
    "en": ("Customs officers", "Border guards", "Young volunteers", "Port control officers"),
    "ru": ("Таможенники", "Пограничники", "Молодые добровольцы", "Сотрудники портового контроля"),
}
DID = {
    "en": (
        "seize {n} kg of heroin at {place}",
        "learn to check containers at {place}",
        "discuss prevention of corruption in {place}",
        "open a youth centre against drug abuse in {place}",
        "find opium in a lorry with {n} tonnes of onions at {place}",
        "plant {n} trees along the canal at {place}",
    ),
    "ru": (
        "изъяли {n} кг героина в {place}",
        "учатся проверять контейнеры в {place}",
        "обсудили противодействие коррупции в {place}",
        "открыли молодёжный центр против наркомании в {place}",
        "нашли опий в грузовике с {n} тоннами лука в {place}",
        "посадили {n} деревьев вдоль канала в {place}",
    ),
}
BODY = {
    "en": (
        "The meeting looked at the seizures of the last {n} months and agreed on common training.",
        "A representative of the regional office thanked the customs service for its reports.",
        "Officers of {n} units practised the search of vehicles, containers and luggage.",
        "The participants spoke about bribery in public procurement and how to report it.",
        "Teachers and students from {n} schools took part in games, talks and a concert.",
        "The next exchange of data between the posts on both banks begins in {n} days.",
        "Precursors for the making of amphetamine were shown together with their papers.",
        "The project is paid for by {n} donors and goes on until the end of the coming year.",
    ),
    "ru": (
        "На встрече рассмотрели изъятия за последние {n} месяцев и договорились об общей учёбе.",
        "Представитель регионального отделения поблагодарил таможенную службу за её отчёты.",
        "Сотрудники {n} подразделений отработали досмотр машин, контейнеров и багажа.",
        "Участники говорили о взятках при государственных закупках и о том, как о них сообщать.",
        "Учителя и ученики из {n} школ приняли участие в играх, беседах и концерте.",
        "Следующий обмен данными между постами на обоих берегах начнётся через {n} дней.",
        "Прекурсоры для изготовления амфетамина показали вместе с их документами.",
        "Проект оплачивают {n} доноров, он продлится до конца будущего года.",
    ),
}
OPENING = {
    "en": "On {day} in {place} the matter was recorded under docket {docket} and told to the press.",
    "ru": "{day} в {place} дело записали под номером {docket} и рассказали о нём журналистам.",
}
CORRECTED = {
    "en": "Correction {n} of docket {docket}: the figures were checked once more.",
    "ru": "Поправка {n} к номеру {docket}: цифры проверили ещё раз.",
}
BROKEN = (
    b"",
    b" \n\n \t\n",
    b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    b"%PDF-1.7 no copy at all",
    b"\xff\xfe\x00",
    b"half a line\x00\x01\x02 and then nothing\x00",
    bytes(range(128, 256)) * 4,
)
"""What may be in the folder instead of copy."""


@dataclass
class Piece:
    """One item of news. `corrections` counts the sentences that were added to it."""

    docket: str
    language: str
    title: str
    opening: str
    paragraphs: list[str]
    corrections: int = 0

    def correct(self) -> None:
        self.corrections += 1
        words = CORRECTED[self.language].format(n=self.corrections, docket=self.docket)
        self.paragraphs.append(words)

    @property
    def last_word(self) -> str:
        """What is in its newest form and in none before."""
        return self.paragraphs[-1]

    def full(self) -> str:
        return "\n\n".join([self.title, self.opening, *self.paragraphs]) + "\n"

    def teaser(self) -> str:
        begun = " ".join(self.paragraphs[1].split()[:3])
        return f"{self.title}\n{self.opening} {self.paragraphs[0]} {begun} […]\n"


@dataclass
class Press:
    """The source of all pieces."""

    chance: random.Random
    pieces: list[Piece] = field(default_factory=list)

    def piece(self, day: date, language: str | None = None) -> Piece:
        chance = self.chance
        language = language or chance.choice(("en", "ru"))
        place = chance.choice(PLACES[language])
        docket = f"ASH-{len(self.pieces):05}"
        did = chance.choice(DID[language]).format(n=chance.randint(2, 90), place=place)
        shown = format_date(day, "d MMMM y", locale=language)
        body = chance.sample(BODY[language], chance.randint(3, 6))
        self.pieces.append(
            Piece(
                docket,
                language,
                f"{chance.choice(WHO[language])} {did}",
                OPENING[language].format(day=shown, place=place, docket=docket),
                [one.format(n=chance.randint(2, 60)) for one in body],
            )
        )
        return self.pieces[-1]
