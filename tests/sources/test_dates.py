"""The day of an article: stated, that of the main event of the first sentence, from neighbours, or unknown."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from digest.language.days import mentions
from digest.model import UNDATED, DateSource, Entry, KnownDate
from digest.sources.dates import find_date, read_copy
from digest.sources.documents import read_entries
from digest.sources.lines import split_lines

RECEIVED = date(2026, 11, 29)


def entry(lead, **known):
    base = Entry(
        document="copy.txt",
        line=1,
        title="Title",
        title_made=False,
        language="",
        lead=lead,
        text=known.pop("text", lead),
        content_html="",
        complete=True,
    )
    return replace(base, **known)


def day_of(lead, *, received=RECEIVED, **known):
    [read] = read_copy([entry(lead, **known)], received)
    return read.published


@pytest.mark.parametrize(
    ("lead", "iso", "evidence"),
    [
        pytest.param("On 9 – 13 October 2023, UNODC conducted a training.", "2023-10-13", "9 – 13 October 2023", id="spaced dash"),
        pytest.param("On March 26-27, 2024, Bishkek hosted a workshop.", "2024-03-27", "March 26-27, 2024", id="month first"),
        pytest.param("On 10-12 March 2024, a delegation visited Austria.", "2024-03-12", "10-12 March 2024", id="hyphen"),
        pytest.param("It was held from 26 to 29 March 2024.", "2024-03-29", "26 to 29 March 2024", id="from to"),
        pytest.param("On April 3, 2023, the minister met a guest.", "2023-04-03", "April 3, 2023", id="American"),
        pytest.param("On 5th November 2023, it published a report.", "2023-11-05", "5th November 2023", id="ordinal"),
        pytest.param("A workshop concluded on 29 March 2023.", "2023-03-29", "29 March 2023", id="concluded"),
        pytest.param("It burnt on Saturday, 4 December 2022, another batch.", "2022-12-04", "4 December 2022", id="weekday"),
        pytest.param("On the 18th of November 2024 an event was held.", "2024-11-18", "18th of November 2024", id="of"),
        pytest.param("The course ran from 30 October - 3 November 2023.", "2023-11-03", "30 October - 3 November 2023", id="over months"),
        pytest.param("A course ran from 28 December 2022 to 2 January 2023.", "2023-01-02", "28 December 2022 to 2 January 2023", id="over a year"),
        pytest.param("Talks took place on 3, 4 and 5 October 2023 in Osh.", "2023-10-05", "3, 4 and 5 October 2023", id="a list"),
        pytest.param("On April 3, 25 people met in Farap, and on 4 April 2023 they left.", "2023-04-04", "4 April 2023", id="people are no days"),
        pytest.param("UNICEF held its talks in Astana on Sept. 23, 2023 for youth.", "2023-09-23", "Sept. 23, 2023", id="shortened month"),
        pytest.param("It met on 05.06.2023 in Ashgabat.", "2023-06-05", "05.06.2023", id="figures"),
        pytest.param("It met on 2023-06-05 in Ashgabat.", "2023-06-05", "2023-06-05", id="ISO"),
        pytest.param("В понедельник, 21 ноября 2022 года, состоялась встреча.", "2022-11-21", "21 ноября 2022 года", id="Russian"),
        pytest.param("5–6 декабря 2023 года эксперты обсудили план.", "2023-12-06", "5–6 декабря 2023 года", id="Russian span"),
        pytest.param("Курс шёл с 11 по 13 марта 2024 г. в Ашхабаде.", "2024-03-13", "11 по 13 марта 2024 г.", id="с по"),
        pytest.param("Встреча шла с 28 октября по 1 ноября 2023 года.", "2023-11-01", "28 октября по 1 ноября 2023 года", id="с по, two months"),
        pytest.param("21-го мая 2022 года в Ашхабаде прошёл форум.", "2022-05-21", "21-го мая 2022 года", id="го"),
        pytest.param("2023-nji ýylyň 11–13-nji mart aralygynda maslahat geçirildi.", "2023-03-13", "2023-nji ýylyň 11–13-nji mart", id="Turkmen"),
        pytest.param("5-nji sentýabrda 2023 ýylda duşuşyk boldy.", "2023-09-05", "5-nji sentýabrda 2023", id="Turkmen, the year behind"),
        pytest.param("On 5 September 2017 10.6 kg of opium was seized.", "2017-09-05", "5 September 2017", id="a figure after the year"),
        pytest.param("Two ministers agreed on 24 April 2023 that a treaty is needed.", "2023-04-24", "24 April 2023", id="agreed on"),
        pytest.param("A laboratory was opened on 9 May 2023 and will serve all.", "2023-05-09", "9 May 2023", id="will comes after"),
        pytest.param("On 9 May 2023 states adopted a plan that will help all.", "2023-05-09", "9 May 2023", id="a plan adopted"),
        pytest.param("An agreement was signed on 3 May 2022 in Ashgabat.", "2022-05-03", "3 May 2022", id="was signed"),
    ],
)  # fmt: skip
def test_the_last_day_of_the_event_is_the_date(lead, iso, evidence):
    """For the reader: the day that the lead says, and for an editor the sentence with the day marked."""
    found = day_of(lead)
    assert (found.iso, found.evidence) == (iso, lead.replace(evidence, f"[{evidence}]"))
    assert found.source is DateSource.TEXT


@pytest.mark.parametrize(
    "lead",
    [
        pytest.param("At the Conference held in December 2021, a resolution was adopted.", id="a month"),
        pytest.param("World Drug Day is marked on 26 June every year, to strengthen action.", id="every year"),
        pytest.param("26 июня отмечается Международный день борьбы с наркотиками.", id="отмечается"),
        pytest.param("It plunged after a ban imposed by the authorities on 3 April 2022.", id="imposed"),
        pytest.param("The resolution adopted on 17 December 2021 calls for platforms.", id="adopted"),
        pytest.param("The office works under a law which was adopted on 3 May 2015 in full.", id="which was adopted"),
        pytest.param("В соответствии с Указом от 3 мая 2021 года работа продолжается.", id="от"),
        pytest.param("Согласно резолюции, принятой 10 декабря 2021 года, создана платформа.", id="принятой"),
        pytest.param("Since 1 January 2020 the project has trained officers.", id="since"),
        pytest.param("The forum will be held on 14 September 2024 in Dushanbe.", id="will be held"),
        pytest.param("28 октября 2024 года в Якутске впервые пройдёт фестиваль.", id="пройдёт"),
        pytest.param("The ninth phase was prolonged with extra money to 14 December 2019.", id="prolonged to"),
        pytest.param("Registration is extended to May 28, 2024.", id="extended to"),
        pytest.param("Заявки принимаются до 1 мая 2024 года.", id="до"),
        pytest.param("On 7 December 1987 the General Assembly chose the day.", id="history"),
        pytest.param("In the months September to October 2023 it held meetings.", id="months only"),
        pytest.param("The programme for 2022-2025 may 5 times be revised.", id="may is a verb"),
        pytest.param("On 31 April 2023 nothing happened.", id="no such day"),
        pytest.param("It started Thursday and was planned for May this year.", id="this year"),
    ],
)  # fmt: skip
def test_background_is_no_date(lead):
    """For the reader: no date is better than a wrong one."""
    assert day_of(lead) == UNDATED


BACKGROUND = """
Parliament is discussing a new customs code, which will replace the one adopted on 3 March 2014.
The man who was arrested on 5 June 2023 was jailed for nine years.
Lorries need a number from the customs service from 1 January 2025.
On 15 December 2025 at 6 p.m. the city invites all residents to a meeting on the planned ring road.
Parliament amended the customs code adopted on 3 March 2014.
The president ordered the border closed from 1 June 2025.
The council postponed the vote until 3 May 2025.
The deadline was extended to 3 May 2025.
The mayor resigned after a raid on 3 May 2025.
The minister said the law signed on 3 March 2014 was too weak.
The centre was founded on 3 March 2014 and trains 300 officers a year.
To mark World Drug Day on 26 June 2025, the ministry published a book.
Registration opened for the forum, to be held on 10 June 2025.
The prisoner will be released on 10 June 2025.
Under the decree of 3 March 2024, drivers must carry a card.
Prices rose in the week ended 3 May 2025.
If the law is signed by 3 May 2025, it will enter into force on 1 July 2025.
A hearing is set for 3 May 2025.
The school, whose roof fell in on 3 May 2024, has reopened.
Relatives of the men killed in the fire on 3 May 2024 sued the city.
The summit is taking place on 3 May 2025.
From 3 to 5 May 2025 Karvel will host a summit.
The forum planned for 3-5 May 2025 has been cancelled.
The court ordered the company to pay the fine by 3 May 2025.
The convention, opened for signature on 9 December 2003, has 190 parties.
Karvel prepares for a forum of beekeepers on 3 May 2025.
A man wanted since 3 May 2019 was caught.
The 3 May 2019 agreement has expired.
A fund set up on 3 March 2019 has paid out three million.
The price freeze introduced on 3 May 2025 was lifted.
A man was jailed for the murder of a guard on 3 May 2019.
The council has banned fishing from 1 May 2025 to 20 May 2025.
Residents were told to leave by 3 May 2025.
The trial of two men arrested over the fire on 3 May 2024 has started.
The exam, moved from 3 May 2025, took place in silence.
The bridge will stay closed until 3 May 2025, the mayor said.
The new code enters into force on 3 May 2025, customs said.
The deputy, elected on 3 May 2024, stepped down.
The suspect, wanted for a robbery on 3 May 2024, was found.
Mirzan ratified the treaty that its president signed on 3 May 2024.
The two ports plan to share a scanner from 3 May 2025.
The bank said it would close on 3 May 2025.
The union threatened a strike on 3 May 2025.
Applications opened for a course to run from 3 to 5 May 2025.
Prosecutors demanded nine years for the mayor caught on 3 May 2024.
The centre trains officers under a programme launched on 3 May 2019.
Residents of Mirzan have signed a petition against the ring road that the council approved on 3 March 2024.
The council's decision of 3 March 2024 to build a ring road has divided Mirzan.
The appeals court overturned a ruling made on 3 March 2024.
Brodt, elected mayor on 3 March 2021, has announced that she will not run again.
Under a law passed on 3 March 2019, officials declare their income.
The ministry wants to close the landfill by 31 December 2027.
Applications for the youth prize close on 31 March 2026.
The exhibition "Clean hands" runs from 1 to 10 March 2026.
The state of emergency declared on 3 March 2025 was extended until 3 June 2025.
Karvel to host beekeepers' congress on 3 June 2025.
The court set bail for the mayor, who must appear again on 3 June 2025.
Investigators found that the fire on 3 June 2019 was arson.
The Ost flooded three villages, its worst flood since 3 June 2019.
Opium seized on 3 June 2019 was burned in Karvel.
Customs burned opium seized in Selkan on 3 June 2019.
Rescuers found the boat lost off Selkan on 3 June 2025.
She was acquitted of taking a bribe on 3 June 2019.
Teachers plan a strike on 3 June 2025.
Teachers have decided to strike on 3 June 2025.
The government hoped to sell its stake on 3 June 2025.
Starting 1 September 2025, lorries pay more.
By 1 September 2025 the customs service had trained 300 officers.
Police invited witnesses of the crash on 3 June 2025 to come forward.
Police reopened the case of a girl who vanished on 3 June 2019.
The city council has delayed a decision on the stadium until 3 May 2025.
The law on gifts, passed by parliament on 3 May 2025, takes effect on 1 January 2026.
The summer camp takes place from 3 to 15 July 2025.
Places are still free in the summer camp from 3 to 15 July 2025.
The ambassador, whose term ended on 3 May 2025, has left Karvel.
The ex-minister, detained on 3 May 2024 at Karvel airport, went on trial.
The bank repaid a loan taken out on 3 May 2019.
Karvel, which joined the convention on 3 May 2004, has never applied it.
The programme launched on 3 May 2019 has trained 3,000 officers.
The border post should reopen on 1 June 2026, the minister said.
Travellers need a visa as of 1 June 2026.
Two students, expelled on 3 May 2025, are back at school.
A monument to the victims of the fire on 3 May 2015 was unveiled.
The law was amended because of the escape on 3 May 2024.
The youth centre was due to open on 3 May 2025.
The youth centre was supposed to have opened on 3 May 2025.
Парламент обсуждает новый таможенный кодекс, который заменит принятый 3 марта 2014 года.
Анна Бродт, назначенная главой таможни 3 марта 2021 года, попросила больше собак.
Заявки на конкурс принимались до 15 января 2025 года.
Парламент изменил кодекс, принятый 3 марта 2014 года.
Стороны договорились встретиться 10 июня 2025 года.
Форум должен был открыться 3 мая 2025 года.
Срок подачи заявок истекает 3 мая 2025 года.
Министр напомнил, что кодекс был принят 3 марта 2014 года.
В Карвеле 3 мая 2025 года состоится форум.
В соответствии с указом президента от 3 мая 2019 года центр получил сканер.
Подписанное 3 мая 2019 года соглашение истекло.
Мужчина, сбежавший из колонии 3 мая 2019 года, задержан.
Родившийся 3 марта 1999 года судья стал самым молодым в Карвеле.
Накануне выборов 3 мая 2025 года мэр пообещал дороги.
Родственники погибших 3 мая 2024 года подали в суд.
Жителей просят до 3 мая 2025 года сдать оружие.
Договор, заключённый 3 мая 2024 года, истекает 3 мая 2026 года.
Приём документов идёт с 3 мая по 30 июня 2025 года.
Запрет, введённый 3 апреля 2022 года, сократил посевы.
Выборы состоятся 3 мая 2025 года.
Профсоюз объявил забастовку на 3 мая 2025 года.
Мужчину осудили за убийство, совершённое 3 мая 2019 года.
Забастовка, начавшаяся 3 мая 2025 года, продолжается.
Студентов пригласили подать заявки с 3 по 20 мая 2025 года.
Назначенный 3 мая 2024 года министр ушёл в отставку.
Суд рассмотрит дело 3 мая 2025 года, сообщила пресс-служба.
Курс для офицеров рассчитан на период с 3 по 5 мая 2025 года.
Дороги вокруг ратуши будут закрыты с 1 по 20 февраля 2026 года.
Женщина, пропавшая 3 мая 2024 года, найдена.
Приглашаем жителей на собрание 15 декабря 2025 года.
Школы должны были открыться 1 сентября 2025 года.
Действие запрета продлили с 3 мая до 3 июня 2025 года.
Жители Мирзана подписали петицию против дороги, которую совет одобрил 3 марта 2024 года.
Прокурор обжаловал приговор, вынесенный 3 марта 2024 года.
Глава водоканала, который работает с 3 марта 2021 года, ушёл в отставку.
По закону, принятому 3 марта 2019 года, чиновники декларируют доходы.
Министерство обещало закрыть свалку до 31 декабря 2025 года.
Приём заявок на премию завершается 31 марта 2026 года.
С 1 по 10 марта 2026 года таможня в Ости будет закрыта на ремонт.
Жители Карвела выбирают новый совет 3 июня 2025 года.
Суд установил, что мэр получил взятку 3 июня 2019 года.
Опий, изъятый 3 июня 2019 года, сожгли в Карвеле.
Спасатели нашли лодку, затонувшую 3 июня 2025 года.
Он признался в краже сканера 3 июня 2019 года.
Учителя объявили, что 3 июня 2025 года начнут забастовку.
Начиная с 1 сентября 2025 года, грузовики платят больше.
С начала года по 1 сентября 2025 года таможня обучила 300 сотрудников.
Полиция нашла мужчину, которого разыскивали с 3 июня 2019 года.
Министр заявил о начале реформы 3 июня 2025 года.
Учения, намеченные на 3 июня 2025 года, отменили.
Ко дню города, 3 июня 2025 года, мост обещали починить.
Организаторы отменили форум, запланированный на 3–5 июня 2025 года.
Совет отложил решение о стадионе до 3 мая 2025 года.
Налоговые каникулы, введённые 1 января 2024 года, закончатся 31 декабря 2025 года.
В летний лагерь с 3 по 15 июля 2025 года ещё есть места.
Задержанный 3 мая 2024 года в аэропорту экс-министр предстал перед судом.
Банк вернул кредит, взятый 3 мая 2019 года.
Программа, запущенная 3 мая 2019 года, обучила три тысячи сотрудников.
Пост, возможно, откроется 1 июня 2026 года.
Паспорта, выданные 1 июня 2016 года и ранее, утратили силу.
Памятник погибшим 3 мая 2015 года открыли в Карвеле.
Молодёжный центр собирались открыть 3 мая 2025 года.
Отчёт охватывает период с 1 по 31 января 2025 года.
Жалобы принимают 3 мая 2025 года с 10 до 12 часов.
Приглашаются все желающие 3 мая 2025 года к 10 часам.
3 мая 2025 года отключат воду, сообщил водоканал.
A bill to raise the drinking age, introduced in parliament on 4 February 2025, faces a second reading next week.
The airline suspended flights to Mirzan, which it had launched on 4 February 2024.
Former deputy prime minister Ivan Brodt – dismissed on 4 February 2025 – was charged with fraud.
The mosque damaged by an earthquake on 4 February 2023 has been restored.
Prosecutors are investigating how 30 kg of heroin vanished from a depot on 4 February 2025.
The anti-corruption law of 4 February 2025 applies to judges, too.
UNODC invites young coders to apply before 4 February 2026.
UNODC opened a call for young coders, closing on 4 February 2026.
Customs officers prepare for a course on 4-6 February 2026.
The post of ombudsman, vacant since 4 February 2025, was filled.
The team's first win since 4 February 2025 pleased its fans.
She was born in Mirzan on 4 February 1999 and joined the border guard at 18.
World Cancer Day falls on 4 February 2026.
The customs office at Ost has been without a scanner since its only one broke on 4 February 2025.
According to the decree of 4 February 2025, fees have risen by a tenth.
Following the agreement signed on 4 February 2025, UNODC trained 30 officers.
Since its opening on 4 February 2025, the centre has trained 30 officers.
The officers are to be trained in Karvel on 4 February 2026.
Training for officers that started on 4 February 2025 continues.
Interpol has sought the man since 4 February 2024.
The trial was adjourned until 4 February 2026.
The verdict is expected on 4 February 2026.
The jury announced the winners, who will get their prize on 4 February 2026.
The winners of the contest held on 4 February 2025 visited Selkan.
The ministry has published the text of the speech the minister gave on 4 February 2025.
Drivers had to pay more from 4 February 2025.
Законопроект, внесённый в парламент 4 февраля 2025 года, ждёт второго чтения.
Авиакомпания планирует возобновить рейсы в Мирзан 4 февраля 2026 года.
Вице-премьер, который 4 февраля 2025 года подал в отставку, обвинён в мошенничестве.
Следствие выясняет, как 4 февраля 2025 года со склада пропали 30 кг героина.
Новое агентство начинает работу с 4 февраля 2026 года.
УНП ООН продлило приём заявок до 4 февраля 2026 года.
Таможенников отобрали для курса, намеченного на 4–6 февраля 2026 года.
Его не видели с 4 февраля 2025 года.
Ежегодно 4 февраля отмечается Всемирный день борьбы с раком.
Подписка на газету открыта по 4 февраля 2026 года.
Министр поручил составить план к 4 февраля 2026 года.
Форум решено провести 4 февраля 2026 года.
В Карвеле 4 февраля 2026 года ждут гостей.
Страны отметят 30 лет отношений, установленных 4 февраля 1996 года.
В соответствии с дорожной картой, утверждённой 4 февраля 2025 года, УНП ООН обучило 30 сотрудников.
Со дня открытия 4 февраля 2015 года центр обучил три тысячи сотрудников.
Обучение сотрудников начнётся 4 февраля 2026 года.
Экс-мэра, заочно осуждённого 4 февраля 2024 года, задержали в Селкане.
Приговор огласят 4 февраля 2026 года.
Премию вручат 4 февраля 2026 года, объявило жюри.
Победители прошедшего 4 февраля 2025 года конкурса посетили Селкан.
Министерство опубликовало речь, произнесённую министром 4 февраля 2025 года.
Пошлину, введённую 4 февраля 2025 года, отменили.
Пошлину введут 4 февраля 2026 года, решило правительство.
Принято решение о проведении форума 4 февраля 2026 года.
The current customs code was adopted on 3 March 2014.
The present code was adopted on 3 March 2014 and amended on 1 January 2020.
The existing code, adopted on 3 March 2014, is out of date.
The centre opened on 3 March 2014 and now trains 300 officers a year.
The centre was opened on 3 March 2014 and today trains 300 officers a year.
Mirzan closed its border on 4 February 2025 and has not opened it since.
Действующий таможенный кодекс принят 3 марта 2014 года.
Нынешний кодекс был принят 3 марта 2014 года.
Центр открылся 3 марта 2014 года и сегодня обучает 300 сотрудников в год.
Центр открыли 3 марта 2014 года, и теперь он обучает 300 сотрудников в год.
Кодекс действует с 3 марта 2014 года.
Bread costs 12 percent more than on 1 November 2025.
Bread cost 12 percent more than it did on 2 March 2026.
Petrol was 5 percent cheaper than on 3 March 2026.
Petrol sold for less in Selkan on Friday than it had on 3 March 2026.
Бензин в Карвеле стал на пять рублей дешевле, чем 15 октября 2026 года.
Бензин стоил дешевле, чем 15 октября 2026 года.
Flats sold for less than they did on 3 March 2026.
Явка оказалась выше, чем на выборах 12 марта 2023 года.
Цены выросли на треть по сравнению с 1 ноября 2025 года.
Цены выросли на треть против 1 ноября 2025 года.
Цены упали в сравнении с ценами 1 ноября 2025 года.
Exports rose by a tenth against 1 November 2025.
Exports rose by a tenth compared with 1 November 2025.
Exports fell compared to their level on 1 November 2025.
Compared with 1 November 2025, exports fell by a tenth.
По сравнению с 1 ноября 2025 года экспорт упал.
The town had 12,400 inhabitants on 1 January 2026, according to the census.
The population stood at 12,400 on 1 January 2026.
The ministry's debt amounted to 3 million on 1 January 2026.
The company employed 340 people on 1 January 2026.
На 1 января 2026 года население Карвела составляло 12 400 человек.
Население города 1 января 2026 года составляло 12 400 человек.
В городе 1 января 2026 года насчитывалось 12 400 жителей.
Twins born on 29 February 2024 received a gift.
A man injured on 3 March 2026 was discharged.
A girl rescued from the river on 3 March 2026 thanked the divers.
Sailors freed on 3 March 2026 came home.
"On 4 October 2026 I saw the water come," the mayor recalled.
“On 4 October 2026 I saw the water come,” the mayor recalled.
«4 октября 2026 года я видел, как пришла вода», — вспомнил мэр.
"4 октября 2026 года я видел, как пришла вода", — вспомнил мэр.
The court sat on Friday, 18 November 2026.
В пятницу, 18 ноября 2026 года, состоялась встреча.
Two men injured in the crash on 3 March 2026 left hospital.
A woman hurt in a fire at home on 3 March 2026 died.
A woman injured on 3 March 2026 in a fire died.
A dog lost on 3 March 2026 returned.
A boy kidnapped on 3 March 2026 escaped.
A man shot on 3 March 2026 in Selkan identified the gunman.
Miners trapped on 3 March 2026 met the president.
A judge suspended on 3 March 2026 resigned.
Four lorries impounded on 3 March 2026 vanished.
A child vaccinated on 3 March 2026 fell ill.
A monkey stolen from the zoo on 3 March 2026 turned up in Selkan.
Ребёнок, привитый 3 марта 2026 года, заболел.
Пострадавший 3 марта 2026 года мужчина выписан из больницы.
Родившиеся 29 февраля 2024 года близнецы получили подарок.
Пострадавшие при взрыве 3 марта 2026 года получили выплаты.
Prices on 3 March 2026 were lower.
The number of members was 12 on 3 March 2026.
The lake was 3 metres deeper than on 3 March 2026.
Wheat traded at a price as high as on 3 March 2026.
Wheat cost as much as it did on 3 March 2026.
Unemployment stood at 5 percent on 1 October 2026, the statistics office said.
The library had no books on 1 January 2026.
There were 340 prisoners in the jail on 1 January 2026.
Karvel had a population of 12,400 on 1 January 2026.
In Selkan lived 12,400 people on 1 January 2026.
The jail was full on 1 January 2026, inspectors say.
"I saw the water come. It was on 4 October 2026," the mayor recalled.
'On 4 October 2026 I saw the water come,' the mayor recalled.
— 4 октября 2026 года я видел, как пришла вода, — вспомнил мэр.
"The council closed the dump on 3 March 2026," says a sign at its gate.
On 4 October 2026 I saw the water come, the mayor recalled.
4 октября 2026 года пришла вода, вспоминает мэр.
Экспорт превысил уровень 1 ноября 2025 года.
Экспорт оказался больше, чем он был 1 ноября 2025 года.
Доллар подорожал относительно 1 ноября 2025 года.
В колонии 1 января 2026 года содержалось 340 человек.
В городе 1 января 2026 года было 340 больных.
По состоянию на 1 января 2026 года в городе жили 12 400 человек.
Население города 1 января 2026 года достигало 12 400 человек.
В очереди 1 января 2026 года стояло 340 семей.
A woman who was ten when the war began on 3 March 1999 wrote a book.
She was at home when the dam burst on 3 March 2026.
The mayor was in office when the bridge fell on 3 March 2026.
A plaque for the four killed when a bus overturned on 3 March 2026 was unveiled.
The driver denied that four people were killed when his bus overturned on 3 March 2026.
Four people who were hurt when a bus overturned on 3 March 2026 sued its owner.
The mayor said he took a bribe on 3 March 2026.
Police said they had arrested the man on 3 March 2026.
Witnesses said they saw the boat on 3 March 2026.
The claim that floods destroyed homes on 3 March 2026 was denied.
The claim that goods seized in May were sold on 3 March 2026 was denied.
The house that the council sold on 3 March 2026 burned.
A rule that lets judges work from 3 March 2026 was dropped.
The meeting was on Monday, 18 November 2026.
В субботу 18 ноября 2026 года суд вынес приговор.
Суд вынес приговор 18 ноября 2026 года, в субботу.
После пожара 3 марта 2026 года владелец построил дом.
После выборов 3 марта 2026 года прошло полгода.
Rents in Ostrava are 9 percent lower than on 1 July 2025.
Gold fetched more at the auction than it had on 14 August 2025.
Fewer trains ran this week than on 2 February 2026.
Electricity is a third dearer than it was on 30 June 2026.
Turnout proved lower than in the vote of 6 April 2025.
The reservoir holds less water than at its peak on 9 May 2026.
Compared with the harvest on 1 October 2025, farmers brought in half as much grain.
The lev weakened as sharply as it did on 12 January 2026.
The region counted 3,400 unemployed on 1 September 2026, the labour office said.
The dam's level stood at 41 metres on 7 November 2026.
The fund owned shares worth 2 billion on 31 December 2025.
There were 58 patients in the ward on 2 November 2026.
The club had 900 members on 1 August 2026, its chairman said.
The fleet numbered 34 ships on 1 January 2026.
Children vaccinated on 5 June 2026 developed a rash.
A tiger rescued from a circus on 8 July 2026 gave birth to cubs.
Two climbers stranded on the ridge on 2 October 2026 thanked the pilots.
Documents leaked on 11 March 2026 embarrassed the government.
A bus driver suspended on 3 October 2026 appealed.
"We left our house on 6 November 2026 with two bags," said a refugee from Dorva.
'It all began on 6 November 2026,' a shopkeeper said.
The general, sacked on 9 October 2026, denied any guilt.
Villagers remember the night of 9 October 2026, when the hill slid.
The mayor, who fled abroad when the scandal broke on 4 June 2026, was arrested in Lisbon.
The court met on Saturday, 25 November 2026, and freed two men.
Яйца подорожали на четверть по сравнению с 1 августа 2026 года.
Рубль стоил меньше, чем 9 февраля 2026 года.
Воды в озере оказалось больше, чем на 1 июня 2026 года.
Пассажиров в метро стало меньше, нежели было 4 марта 2026 года.
На 1 октября 2026 года в школах области учились 84 тысячи детей.
Население посёлка 1 октября 2026 года насчитывало 3 200 человек.
Долг завода 1 июля 2026 года составлял 12 миллионов.
В реестре 1 сентября 2026 года числилось 740 компаний.
«Мы ушли из дома 6 ноября 2026 года», — рассказала беженка.
— Вода пришла ночью 6 ноября 2026 года, — рассказал староста.
Раненный 2 октября 2026 года пограничник вернулся на службу.
Спасённые 8 июля 2026 года альпинисты поблагодарили лётчиков.
Перед матчем 5 ноября 2026 года команда сменила тренера.
Благодаря договору 5 ноября 2026 года порт получил кран.
В субботу, 25 ноября 2026 года, суд освободил двоих.
Seats held by women rose to 40 from 31 on 1 January 2026.
The dam, half empty on 1 September 2026, overflowed.
Police said the man they wanted on 9 October 2026 was in Lisbon.
A court heard that six workers died when a crane fell on 9 October 2026.
Visitor numbers on 7 March 2026 exceeded those of last week.
Доля женщин выросла до 40 процентов с 31 процента 1 января 2026 года.
Суд выслушал, как шестеро погибли, когда кран упал 9 октября 2026 года.
"""
EVENTS = """
2026-11-03 Police seized 12 kg of opium in Karvel on 3 November 2026.
2026-05-03 The seminar, which brought together 30 officers, took place on 3 May 2026.
2026-05-03 Customs officers at the port of Selkan found two tonnes of cocaine in a banana container on 3 May 2026.
2026-05-03 Parliament adopted a new customs code on 3 May 2026.
2026-05-03 The president signed into law on 3 May 2026 a ban on plastic bags.
2026-05-03 On 3 May 2026, police in Karvel detained a man who had been wanted since 2019.
2026-05-03 The third round of talks between Karvel and Mirzan ended on 3 May 2026 without a deal.
2026-05-04 Thirty officers from five countries gathered in Karvel on 3-4 May 2026 for a seminar on arms smuggling.
2026-05-03 The UN drugs office published its annual report on 3 May 2026.
2026-05-03 A delegation led by the deputy minister visited the port on 3 May 2026.
2026-05-03 Karvel and Mirzan signed an agreement on youth exchanges on 3 May 2026.
2026-05-03 The former mayor of Karvel, Ivan Brodt, was found guilty of bribery on 3 May 2026.
2026-05-03 Border guards stopped a lorry carrying 30 kg of heroin on 3 May 2026.
2026-05-03 KARVEL — Students planted 300 trees on 3 May 2026.
2026-05-03 The council of Mirzan voted on 3 May 2026 to close the dump.
2026-11-22 The bridge over the Ost fell on November 22nd, 2026.
2026-05-05 The United Nations Office on Drugs and Crime, in cooperation with the State Customs Service, conducted a training on 3-5 May 2026.
2026-05-03 Over 200 volunteers took part in a clean-up in Mirzan on 3 May 2026.
2026-05-03 The anti-corruption agency detained the head of the water board on 3 May 2026 while he was taking a bribe.
2026-05-03 Youth from 12 states marked the International Day of Peace in Karvel on 3 May 2026.
2026-05-03 The exhibition "Free of drugs" opened in the museum of Mirzan on 3 May 2026.
2026-05-03 A youth forum under the motto "Our choice" took place in Karvel on 3 May 2026.
2026-05-03 Thousands of people protested in Karvel on 3 May 2026 against a new tax.
2026-05-03 The river Ost burst its banks on 3 May 2026 and flooded two villages.
2026-05-03 Football: Karvel beat Mirzan 3-0 on 3 May 2026.
2026-05-03 The mayor of Karvel opened the beekeepers' congress on 3 May 2026.
2026-05-03 Heavy rain on 3 May 2026 flooded three villages on the Ost.
2026-05-03 On Monday, May 3, 2026, three villages on the Ost were flooded.
2026-05-03 The national bank left its key rate unchanged on 3 May 2026.
2026-05-03 A judge in Mirzan sentenced a smuggler to nine years in prison on 3 May 2026.
2026-05-03 The customs service and the border guard held a joint exercise at Selkan on 3 May 2026.
2026-05-03 Doctors in Mirzan delivered triplets on 3 May 2026.
2026-05-03 Ivan Brodt, the police chief of Karvel, stepped down on 3 May 2026.
2026-05-03 A court of appeal in Karvel upheld on 3 May 2026 the nine-year sentence of the former mayor.
2026-05-03 The contest of young coders was won on 3 May 2026 by a team from Mirzan.
2026-05-03 UNODC and the ministry of justice launched a project for young people on 3 May 2026 in Karvel.
2026-05-05 A working group of customs experts met in Karvel from 3 to 5 May 2026.
2026-05-05 From 3 to 5 May 2026, customs experts from 12 states met in Karvel.
2026-05-03 The second phase of the project ended on 3 May 2026.
2026-05-03 Police dogs sniffed out 3 kg of heroin at Karvel airport on 3 May 2026.
2026-05-03 More than 3 kg of heroin was found at Karvel airport on 3 May 2026, customs said.
2026-05-03 Unknown gunmen shot dead a prosecutor in Mirzan on 3 May 2026.
2026-05-03 President Anna Brodt flew to Mirzan on 3 May 2026.
2026-05-03 For the first time, a woman took command of the border guard on 3 May 2026.
2026-05-03 Within the framework of the project, 30 officers visited Selkan on 3 May 2026.
2026-05-03 On 3 May 2026, with support of the European Union, UNODC opened a laboratory.
2026-05-03 The ministry reported on 3 May 2026 that exports rose by 5 per cent.
2026-05-03 Voters in Karvel elected a new council on 3 May 2026.
2026-05-05 The festival of young cooks ran in Karvel from 3 to 5 May 2026.
2026-05-03 Nobody was hurt when the roof fell in, the mayor told reporters on 3 May 2026.
2026-11-18 В Ашхабаде 18 ноября 2026 года состоялся форум молодёжи.
2026-10-04 Семинар для таможенников прошёл в Карвеле с 2 по 4 октября 2026 года.
2026-05-03 Таможенники нашли две тонны кокаина в контейнере с бананами 3 мая 2026 года.
2026-05-03 В понедельник, 3 мая 2026 года, в порту вспыхнул пожар.
2026-05-03 Парламент 3 мая 2026 года принял новый таможенный кодекс.
2026-05-03 Анна Бродт 3 мая 2026 года назначена главой таможни.
2026-05-03 Выступая 3 мая 2026 года на форуме, министр попросил больше собак.
2026-05-03 В семинаре, прошедшем 3 мая 2026 года, участвовали 30 офицеров.
2026-05-03 По данным полиции, 3 мая 2026 года в Карвеле погибли двое.
2026-05-03 Трёхдневный курс для 30 офицеров завершился в Карвеле 3 мая 2026 года.
2026-05-03 Студенты Карвела посадили 300 деревьев 3 мая 2026 г. Президент похвалил их.
2026-05-03 Агентство сожгло 3 мая 2026 года 400 килограммов наркотиков.
2026-05-03 Организация Объединённых Наций 3 мая 2026 года опубликовала доклад.
2026-05-03 Генпрокуратура 3 мая 2026 года возбудила дело против двух судей.
2026-05-03 Сегодня, 3 мая 2026 года, в Карвеле открылась выставка.
2026-05-03 Футболисты Карвела обыграли Мирзан 3 мая 2026 года.
2026-05-05 30 сотрудников таможни из пяти стран собрались 3-5 мая 2026 года в Карвеле на семинар.
2026-05-03 Задержанный житель Мирзана 3 мая 2026 года признал вину.
2026-05-03 Пограничники остановили грузовик, в котором нашли 30 кг героина, 3 мая 2026 года.
2026-05-03 Мэр Карвела открыл съезд пчеловодов 3 мая 2026 года.
2026-05-03 Сильный дождь 3 мая 2026 года затопил три села на Ости.
2026-05-03 Национальный банк 3 мая 2026 года повысил ставку до 9 процентов.
2026-05-03 Контрабандиста приговорили к девяти годам тюрьмы 3 мая 2026 года.
2026-05-03 Трёхдневные учения таможенников начались в Селкане 3 мая 2026 года.
2026-05-03 Иван Бродт умер в Карвеле 3 мая 2026 года на 81-м году жизни.
2026-05-03 Около 200 студентов приняли участие 3 мая 2026 года в конкурсе программистов.
2026-05-03 УНП ООН и Министерство юстиции запустили проект для молодёжи 3 мая 2026 года в Карвеле.
2026-05-03 Береговая охрана 3 мая 2026 года перехватила лодку с тремя тоннами кокаина.
2026-05-03 Более 3 кг героина нашли 3 мая 2026 года в аэропорту Карвела, сообщили в таможне.
2026-05-03 Прокурора застрелили в Мирзане вечером 3 мая 2026 года.
2026-05-03 Впервые женщина возглавила пограничную службу 3 мая 2026 года.
2026-05-03 3 мая 2026 года при поддержке Евросоюза УНП ООН открыло в Карвеле лабораторию.
2026-05-03 Новый сканер установлен в Селкане 3 мая 2026 года.
2026-05-05 Фестиваль молодых поваров шёл в Карвеле с 3 по 5 мая 2026 года.
2026-05-03 В Ашхабаде под председательством Туркменистана 3 мая 2026 года прошло заседание совета.
2026-05-03 Сотрудниками таможни 3 мая 2026 года выявлено 30 кг героина.
2026-05-05 Прошедший в Карвеле 3–5 мая 2026 года семинар собрал 30 офицеров.
2026-05-03 The minister of culture said at a forum on 3 May 2026 that museums would be free.
2026-05-03 "Seizures have doubled," customs chief Anna Brodt said on 3 May 2026.
2026-05-03 The European Union lifted sanctions against two ports on 3 May 2026.
2026-05-03 Flash floods killed 12 people in the north of Karvel on 3 May 2026.
2026-05-03 Karvel ratified on 3 May 2026 the convention against corruption.
2026-05-03 Representatives of UNODC and the State Customs Service met in Karvel on 3 May 2026.
2026-05-03 On the 3rd of May 2026 Minister Ivan Brodt received a delegation.
2026-05-03 Early on 3 May 2026 police raided four flats in Karvel.
2026-05-03 Officers of the drug squad discovered an underground laboratory in Mirzan on 3 May 2026.
2026-05-03 A jury found two customs officers guilty of bribery on 3 May 2026.
2026-05-03 Two customs officers lost their jobs on 3 May 2026.
2026-05-03 Ivan Brodt, 45, was sworn in as prosecutor general on 3 May 2026.
2026-05-05 Karvel hosted the third Central Asian youth forum on 3-5 May 2026.
2026-05-05 The third Central Asian youth forum, held in Karvel on 3-5 May 2026, brought together 300 people.
2026-05-03 The Red Crescent handed out food to 300 families on 3 May 2026.
2026-05-03 Both sides exchanged 12 prisoners on 3 May 2026.
2026-05-03 Министр культуры заявил 3 мая 2026 года на форуме, что музеи станут бесплатными.
2026-05-03 Изъятий стало вдвое больше, заявила 3 мая 2026 года глава таможни Анна Бродт.
2026-05-03 На севере Карвела 3 мая 2026 года произошло сильное землетрясение, погибли 12 человек.
2026-05-03 Парламент Карвела 3 мая 2026 года ратифицировал конвенцию против коррупции.
2026-05-03 Представители УНП ООН и таможни встретились в Карвеле 3 мая 2026 года.
2026-05-03 Рано утром 3 мая 2026 года полиция провела обыски в четырёх квартирах.
2026-05-03 Сотрудники наркоконтроля 3 мая 2026 года обнаружили в Мирзане подпольную лабораторию.
2026-05-03 Присяжные 3 мая 2026 года признали двух таможенников виновными во взятках.
2026-05-03 Президент 3 мая 2026 года наложила вето на закон о подарках.
2026-05-05 Около 300 молодых людей обсудили работу на форуме в Карвеле 3–5 мая 2026 года.
2026-05-03 Президент открыла в Мирзане новый зал 3 мая 2026 года.
2026-05-03 Цены на опий в Карвеле 3 мая 2026 года выросли на треть.
2026-05-05 В период с 3 по 5 мая 2026 года таможня провела рейды.
2026-05-03 Скончался поэт Иван Бродт, сообщила семья 3 мая 2026 года.
2026-11-13 После двух лет ремонта городская библиотека вновь открылась 13 ноября 2026 года.
2026-11-24 Opposition deputies walked out of parliament on Tuesday, November 24, 2026.
2026-11-15 Four people were killed and nine injured when a bus overturned near Osh on 15 November 2026.
2026-11-21 Two fishermen drowned when a ferry sank off Palawan on 21 November 2026.
2026-11-20 The bridge that the flood destroyed in May was reopened on 20 November 2026.
2026-11-22 A crane that lifts 120 tonnes was put into service at the port on 22 November 2026.
2026-11-23 Farmers of Lebap fulfilled the cotton plan on 23 November 2026.
2026-11-03 The police said they seized 3 kg of heroin on 3 November 2026.
2026-11-22 22 ноября́ 2026 года состоялась встреча.
2026-11-18 The court sat on Wednesday, 18 November 2026.
2026-11-18 В среду, 18 ноября 2026 года, состоялась встреча.
2026-05-03 More than 300 people gathered in Karvel on 3 May 2026.
2026-05-03 Police seized more than 3 kg of heroin on 3 May 2026.
2026-05-03 More than half of the voters elected a woman on 3 May 2026.
2026-05-03 Fewer than twenty deputies met on 3 May 2026.
2026-05-03 Exports more than doubled, the ministry reported on 3 May 2026.
2026-05-03 The bridge opened later than planned on 3 May 2026.
2026-05-03 Более чем 300 студентов собрались в Карвеле 3 мая 2026 года.
2026-05-03 Ministers from six states had talks in Karvel on 3 May 2026.
2026-05-03 Three people were injured when a roof collapsed at a school in Karvel on 3 May 2026.
2026-05-03 Two miners died when a shaft flooded in Karvel on Sunday, 3 May 2026, police said.
2026-05-03 Четверо погибли, когда автобус перевернулся у Мирзана 3 мая 2026 года.
2026-05-03 Police said they arrested two men in Karvel on 3 May 2026.
2026-05-03 The customs service said it seized two tonnes of cocaine on 3 May 2026.
2026-05-03 The ship that ran aground in March was refloated on 3 May 2026.
2026-05-03 A law that bans plastic bags was passed on 3 May 2026.
2026-05-03 The dam that feeds the Ost burst on 3 May 2026.
2026-05-03 После ремонта в Карвеле открылся музей 3 мая 2026 года.
2026-05-03 После долгого спора совет одобрил план 3 мая 2026 года.
2026-05-03 Hundreds of miners walked off the job on 3 May 2026.
2026-05-03 A lorry rolled into the Ost on 3 May 2026.
2026-05-03 The train ran off the rails near Karvel on 3 May 2026.
2026-05-03 The exhibition "Free of drugs" opened in Karvel on 3 May 2026.
2026-05-03 Anna Brodt's party won the mayor's race on 3 May 2026.
2026-05-03 "Seizures have doubled," customs chief Anna Brodt said on 3 May 2026.
2026-05-03 The mayor signed the water contract on 3 May 2026.
2026-05-03 Суд был закрыт 3 мая 2026 года из-за угрозы взрыва.
2026-05-03 Были задержаны 3 мая 2026 года двое мужчин.
2026-05-03 В воскресенье, 3 мая 2026 года, мост открыли.
2026-11-08 Three tourists drowned when their canoe tipped over on Lake Sarn on 8 November 2026.
2026-11-19 Twelve miners were trapped when a tunnel caved in near Dorva on 19 November 2026, rescuers said.
2026-11-17 Seven people were hurt when a tram hit a wall in Ostrava on Tuesday, 17 November 2026.
2026-11-12 The theatre that fire gutted in 2023 reopened on 12 November 2026.
2026-11-14 The satellite that maps forest fires was launched on 14 November 2026.
2026-11-09 A ferry which links the islands ran aground on 9 November 2026.
2026-11-10 Police said they freed nine hostages in Dorva on 10 November 2026.
2026-11-11 The coastguard said it rescued 40 migrants off Sarn on 11 November 2026.
2026-11-15 More than 5,000 runners took part in the Dorva marathon on 15 November 2026.
2026-11-16 Fewer than 40 deputies voted for the budget on 16 November 2026.
2026-11-18 Nurses walked out of three hospitals in Ostrava on 18 November 2026.
2026-11-20 The council rejected the tram plan on 20 November 2026.
2026-11-21 Weavers of Sarn completed the export order on 21 November 2026.
2026-11-13 The two presidents had talks in Sarn on 13 November 2026.
2026-11-20 The court in Dorva jailed a former judge on Friday, 20 November 2026.
2026-11-07 The film "Salt on the Road" won the main prize in Sarn on 7 November 2026.
2026-11-14 После года ремонта цирк в Ости вновь принял зрителей 14 ноября 2026 года.
2026-11-12 После долгих переговоров стороны подписали договор 12 ноября 2026 года.
2026-11-11 Более чем 40 стран поддержали резолюцию 11 ноября 2026 года.
2026-11-08 Трое рыбаков утонули, когда лодка перевернулась на озере Сарн 8 ноября 2026 года.
2026-11-09 Больше 200 человек вышли на площадь 9 ноября 2026 года.
2026-11-20 В пятницу, 20 ноября 2026 года, суд приговорил бывшего мэра.
2026-11-18 18 ноября́ 2026 года в Ости откры́лся новый вокзал.
2026-11-07 Фильм «Соль» получил главный приз 7 ноября 2026 года.
2026-11-10 Учёные Сарна 10 ноября 2026 года запустили телескоп, который следит за кометами.
2026-11-14 The minister who led the talks resigned on 14 November 2026.
2026-11-14 Eleven sailors were rescued when their trawler sank off Sarn on 14 November 2026.
2026-11-14 Одиннадцать моряков спасены, когда траулер тонул у Сарна 14 ноября 2026 года.
2026-11-07 The railway said that it cancelled 40 trains on 7 November 2026.
"""


@pytest.mark.parametrize("lead", BACKGROUND.strip().splitlines())
def test_a_day_of_something_else_is_no_date(lead):
    """For the reader: adoptions, arrests, appointments, plans, deadlines and ranges are not the news."""
    assert day_of(lead) == UNDATED


@pytest.mark.parametrize("dated", EVENTS.strip().splitlines())
def test_the_day_of_the_main_event_is_the_date(dated):
    """For the reader: in whatever order an ordinary lead has its words."""
    iso, _, lead = dated.partition(" ")
    assert day_of(lead).iso == iso


@pytest.mark.parametrize(
    ("known", "iso", "source"),
    [
        pytest.param({"dateline": "ASHGABAT, 3 April 2023 (nCa)"}, "2023-04-03", DateSource.STATED, id="dateline"),
        pytest.param({"wire_tag": "nCa, 4 April 2023"}, "2023-04-04", DateSource.STATED, id="wire tag"),
        pytest.param({"wire_tag": "нЦА, 4 апреля 2023 года"}, "2023-04-04", DateSource.STATED, id="Russian tag"),
        pytest.param({"dateline": "3 April, Ashgabat", "wire_tag": "nCa, 4 April 2023"}, "2023-04-03", DateSource.STATED, id="a tag lends its year"),
        pytest.param({"wire_tag": "MFA Turkmenistan"}, "2022-05-05", DateSource.TEXT, id="a tag without a day"),
        pytest.param({"dateline": "3 January, Ashgabat"}, None, DateSource.UNKNOWN, id="no year, no neighbours"),
    ],
)  # fmt: skip
def test_what_is_stated_comes_first(known, iso, source):
    """For the reader: dateline, wire tag, and only then the lead."""
    found = day_of("On 5 May 2022 the minister met a guest.", **known)
    assert (found.iso, found.source) == (iso, source)


def test_a_sources_own_date_is_kept():
    """For feeds: a machine-readable date is not read over."""
    stated = KnownDate(date(2024, 5, 5), DateSource.STATED, "", datetime(2024, 5, 5, 7, tzinfo=UTC))
    assert day_of("On 5 May 2022 it met.", published=stated) == stated


def test_an_event_that_goes_on_ends_on_its_last_day():
    """For a lead of two parts: the last day, but not that of a plan or an anniversary."""
    leads = {
        "On 2 – 3 October 2023, it met, followed by the Council on 4 October.": "2023-10-04",
        "On 3 June 2023 it met, ahead of World Drug Day on 26 June.": "2023-06-03",
        "On 3 June 2023 it met and agreed that talks will go on on 10 June.": "2023-06-03",
        "On 3 May 2023 it met, and on 2 June 2023 it signed.": "2023-05-03",
    }
    assert {lead: day_of(lead).iso for lead in leads} == leads


def test_below_a_standfirst_only_background_is_no_date():
    """For the reader: what the next paragraph remembers is not the news."""
    lead = "Parliament is discussing a new customs code."
    text = f"{lead}\n\nThe present one was adopted by both of its chambers on 3 March 2014."
    assert day_of(lead, text=text) == UNDATED


def test_a_standfirst_without_a_day_lets_the_next_paragraph_speak():
    """For copy with a one-line lead."""
    lead = "Officers learn to find drugs."
    text = f"{lead}\n\nOn 5 May 2022, officers met in Farap."
    assert day_of(lead, text=text).iso == "2022-05-05"


@pytest.mark.parametrize(
    ("copy", "iso"),
    [
        pytest.param({"lead": "On 30 November 2026 the court sat."}, None, id="ahead"),
        pytest.param({"lead": "On 29 November 2026 the court sat."}, "2026-11-29", id="today"),
        pytest.param({"lead": "The court sat.", "dateline": "ASHGABAT, 30 November 2026"}, None, id="a dateline ahead"),
        pytest.param({"lead": "The fair was open from 27 November to 23 December 2026."}, "2026-11-27", id="the end is ahead"),
        pytest.param({"lead": "The fair was open from 30 November to 23 December 2026."}, None, id="all of it is ahead"),
        pytest.param({"lead": "The fair was open from 7 to 23 November 2026."}, "2026-11-23", id="all of it has been"),
    ],
)  # fmt: skip
def test_no_day_after_receipt_is_a_date(copy, iso):
    """For the reader: what has not happened yet is not dated; the end of a span is not its date before it has come."""
    assert day_of(**copy).iso == iso


@pytest.mark.parametrize(
    ("stated", "iso"),
    [
        pytest.param("09:47, 22 Ноябрь 2026 | GMT +5", "2026-11-22", id="nominative"),
        pytest.param("Sun, 22 Nov 2026 09:15:00 +0500", "2026-11-22", id="RFC 5322"),
        pytest.param("2026-11-22T09:47:00+05:00", "2026-11-22", id="ISO with time"),
        pytest.param("Nov. 22, 2026", "2026-11-22", id="shortened"),
        pytest.param("22.11.26", "2026-11-22", id="two figures"),
        pytest.param("Ashgabat, 05/11/2026", "2026-11-05", id="day before month"),
        pytest.param("11/22/2026", "2026-11-22", id="month before day"),
    ],
)
def test_a_line_with_only_a_day_is_a_dateline(stated, iso):
    """For copy from web pages and mails: the line above it says when."""
    text = f"Beekeepers meet in Mirzan\n{stated}\n\nThree hundred beekeepers met. The year was dry, they say."
    [read] = read_copy(read_entries("copy.txt", split_lines(text)), RECEIVED)
    assert (read.published.iso, read.published.source) == (iso, DateSource.STATED)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        pytest.param("It met on 05/11/2026.", None, id="of two months"),
        pytest.param("It met on 22/11/2026.", "2026-11-22", id="of one"),
        pytest.param("Version 22.11.26 was released.", None, id="no day"),
        pytest.param("22-го ноября 2026 года она собралась.", "2026-11-22", id="го"),
        pytest.param("It met on November 22nd, 2026.", "2026-11-22", id="nd"),
        pytest.param("22 ноября с.г. она собралась.", None, id="this year"),
        pytest.param(
            "22 ноября 2026 г. Президент подписал указ.", "2026-11-22", id="г. ends no sentence"
        ),
        pytest.param("It [the court] sat on 22 November 2026.", "2026-11-22", id="brackets"),
    ],
)
def test_figures_count_only_where_they_are_clear(text, iso):
    """For the reader: 05/11 is a day in May for some."""
    assert day_of(text).iso == iso


YEARLESS = "On 2 – 3 October, it met."


@pytest.mark.parametrize(
    ("leads", "dates"),
    [
        pytest.param(["It met on 13 October 2023.", YEARLESS, "It met on 7 September 2023."], "2023-10-03", id="newest first"),
        pytest.param(["It met on 7 September 2023.", YEARLESS, "It met on 13 October 2023."], "2023-10-03", id="oldest first"),
        pytest.param(["It met on 5 January 2024.", YEARLESS], "2023-10-03", id="over New Year"),
        pytest.param([YEARLESS, "It met on 20 December 2022."], "2022-10-03", id="one neighbour after"),
        pytest.param(["No day.", YEARLESS, "In 2023 it grew."], None, id="nobody knows"),
        pytest.param(["It met on 1 March 2023.", "On 29 February, it met."], "2024-02-29", id="a leap day"),
    ],
)  # fmt: skip
def test_a_year_left_out_is_that_of_the_neighbours(leads, dates):
    """For listings in either order: the year that brings the day nearest to its neighbours."""
    found = [one.published for one in read_copy([entry(lead) for lead in leads], RECEIVED)]
    position = next(i for i, lead in enumerate(leads) if lead.startswith("On 2"))
    assert found[position].iso == dates
    expected = DateSource.NEIGHBOURS if dates else DateSource.UNKNOWN
    assert found[position].source is expected


@given(st.text(max_size=300) | st.lists(st.sampled_from(
    ["5", "31", "May", "мая", "2023", "-", "–", "to", "and", "по", ",", "on", "will", "от", "29 February", "Sept.", "-nji"]
), max_size=25).map(" ".join))  # fmt: skip
@settings(max_examples=100)
def test_no_text_surprises_the_calendar(text):
    """For ingest: any text has a date or none, and each mention is where it says."""
    for mention in mentions(text):
        assert 0 <= mention.start < mention.end <= len(text)
        assert mention.on(2024) is not None
    found = find_date(entry(text or "x", dateline=text, wire_tag=text))
    assert found is None or found.words
    assert all(
        one.published.day is None or one.published.day <= RECEIVED
        for one in read_copy([entry(text)] * 3, RECEIVED)
    )


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("«To be, or not to be, that is the question: whether 'tis nobler in the mind to suffer», — прочёл посол на приёме.", "ru"),
        ('"Спасибо вам за всё, я никогда не забуду этот вечер и этот город", the singer told the crowd.', "en"),
    ],
)  # fmt: skip
def test_a_quotation_does_not_decide_the_language(text, language):
    """For the reader: the language is that of the words around the quotations."""
    [read] = read_copy([entry(text)], RECEIVED)
    assert read.language == language
