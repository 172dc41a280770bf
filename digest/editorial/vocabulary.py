"""The beat's words in English and Russian side by side: what lets a translation be seen as one.

Each line holds the English words of one notion, then the Russian ones; the first English word
names the notion. A word is matched by its stem, so one form does, but for words whose stem changes.
These are the words of any newsroom on this beat, not of single stories.
"""

from functools import lru_cache

from digest.editorial.names import stem

NOTIONS = """
training course workshop seminar : тренинг курс семинар обучение обучать практикум стажировка
exercise drill : учение учения упражнение
simulation : имитационный имитация
meeting meet met : встреча встретиться встретился встречаться заседание совещание
conference : конференция
session : сессия
forum : форум
dialogue : диалог
festival : фестиваль
contest competition : конкурс
round : круглый
table : стол
talks negotiation : переговоры
visit : визит посетить посещение прибыть прибыл
delegation : делегация
representative : представитель
representation office : представительство офис
regional region : региональный регион
national : национальный
international : международный
interstate : межгосударственный
state : государство государственный госструктура
government : правительство правительственный
president : президент
minister : министр замминистра
ministry : министерство
deputy : заместитель зам вице замглавы
chairman chair chairperson : председатель председательство
head chief leader : глава руководитель начальник возглавить лидер
director : директор
secretary : секретарь генсек генсекретарь
ambassador : посол
embassy : посольство
expert specialist : эксперт специалист
officer : офицер
official employee staff : сотрудник чиновник должностной работник
participant attend participate : участник участвовать участие
journalist media : журналист сми
service : служба
agency : агентство ведомство
department directorate : департамент управление
office : офис отделение
committee : комитет
commission : комиссия
council : совет
centre center : центр
bureau : бюро
organization organisation : организация
organize organise : организовать организатор
institution : учреждение институт
academy : академия
university : университет вуз
school : школа
pupil schoolchildren : школьник старшеклассник
student : студент
teacher : учитель педагог преподаватель
youth young : молодежь молодежный молодой
child : ребенок дети детский
family parent : семья родители
woman : женщина
people : люди человек людьми
customs : таможня таможенный таможенник
border frontier : граница пограничный пограничник приграничный
migration : миграция миграционный
checkpoint post : пост пункт кпп
port : порт портовый
sea maritime marine : морской море
trade commerce : торговля торговый
traffic trafficking smuggling contraband : контрабанда трафик
illicit illegal unlawful : незаконный нелегальный противоправный
turnover : оборот
offense offence violation : правонарушение нарушение
cargo freight goods : груз товар
container : контейнер контейнерный
vehicle car truck lorry : автомобиль машина транспорт грузовик фура
terminal : терминал
inspection examination inspect : досмотр проверка инспекция осмотр
control : контроль контрольный
detect detection : обнаружение выявление выявить обнаружить
find found : найти нашли нашел найден найдена
seize seizure : изъять изъятие изъяли
arrest detain : задержать задержание арест арестовать задержаны
drug narcotic : наркотик наркотический наркотрафик наркосредство
trafficker : наркоторговец наркоделец наркоторговцы
addiction : наркомания наркозависимость наркоман
abuse : злоупотребление
consumption use : потребление употребление
substance : вещество
psychoactive : психоактивный
psychotropic : психотропный
precursor : прекурсор
opium opiate poppy : опиум опий мак опийный
heroin : героин
cannabis hashish : гашиш каннабис марихуана
cultivation crop : посев выращивание урожай посевы
burn destroy incinerate : сжечь сожжено уничтожить сжигание уничтожение
kilogram kg : килограмм кг
ton tonne tons : тонна
health : здоровье здравоохранение минздрав
medical medicine : медицинский лекарство медицина
treatment : лечение
prevention prevent preventive : профилактика предупреждение предотвращение
combat fight counter against struggle : борьба противодействие борьбе бороться против
corruption corrupt : коррупция коррупционный
anticorruption : антикоррупционный
sentence convict jail : приговор приговорить приговорил осудить осужден осуждены
bribe : взятка взяток взяточничество
transparency : прозрачность открытость
integrity honesty : честность неподкупность добропорядочность
convention : конвенция
implementation implement : осуществление реализация внедрение выполнение
resolution : резолюция
platform : платформа
report : доклад отчет
survey : обзор опрос исследование
asset : актив активы
money laundering launder : отмывание
money finance financial fund : деньги финансовый финансирование средства
crime criminal : преступность преступление преступный
organised organized : организованный
transnational : транснациональный
cybercrime : киберпреступность
cyber : кибер
terrorism terrorist : терроризм террористический террорист
extremism : экстремизм экстремистский
radicalization : радикализация
violence violent : насилие насильственный
weapon arms : оружие
human : человеческий
victim : жертва потерпевший
slavery exploitation : рабство эксплуатация
police : полиция полицейский милиция мвд
law legal : право закон правовой правовая законный
enforcement : правоохранительный
legislation : законодательство
justice : юстиция правосудие
court judge : суд судья судебный
prosecutor : прокурор прокуратура генпрокуратура прокурорский
investigation investigate : расследование следствие следователь
evidence : доказательство
prison : тюрьма пенитенциарный исправительный
prisoner inmate : заключенный
security secure : безопасность нацбезопасность безопасный
defence defense : оборона
interior internal : внутренний
foreign : иностранный зарубежный
affairs : дело дела
military army : военный армия
peace : мир мирный
conflict : конфликт
threat : угроза
risk : риск
challenge : вызов проблема
cooperation collaboration co-operation : сотрудничество взаимодействие
partnership partner : партнерство партнер
agreement contract : соглашение договор
memorandum : меморандум
sign signed : подписать подписание подписали
plan : план планировать
programme program : программа
project : проект
initiative : инициатива
strategy strategic : стратегия стратегический
development develop : развитие
reform : реформа
capacity capability : потенциал
strengthen enhance : укрепить укрепление усиление повышение
support assist assistance help : поддержка помощь содействие поддержать
exchange : обмен
information : информация информационный
experience : опыт
knowledge : знание
skill : навык
practice practical : практика практический
method technique : метод методика
technology : технология
system : система
data database : данные
analysis analyse : анализ
laboratory lab : лаборатория
forensic : криминалистический
equipment : оборудование
document : документ документов
passport travel : паспорт проездной
authenticity authentic genuine : подлинность
verification verify : проверять удостоверение
accreditation : аккредитация
certificate : сертификат свидетельство
accelerate fast acceleration : ускорение ускоренный ускорить
positive : позитивный положительный
change : изменение перемена перемены
contribute contribution : способствовать вклад содействовать
technical : технический
approach : подход
level : уровень
participating party : сторона
day : день
week : неделя
month : месяц
year annual : год лет ежегодный
anniversary : годовщина летие
century : век
first : первый впервые
second : второй
third : третий
final : итоговый финал финальный заключительный
joint : совместный
new : новый
global world worldwide : глобальный мир мировой всемирный
central : центральный
asian asia : азия азиатский центральноазиатский
europe european : европа европейский евросоюз
united nations : объединенный нация наций
union : союз
country : страна
city : город
province velayat : провинция велаят область
neighbour neighbor : сосед соседний
turkmen : туркменский туркмения
uzbek : узбекский
tajik : таджикский
kazakh : казахский казахстанский
kyrgyz : кыргызский киргизский кыргызстанский киргизия
russian russia : русский российский россия рф россиянин
afghan : афганский
turkish turkey türkiye : турецкий турция
chinese china : китайский китай
japanese japan : японский япония
american usa : американский сша
german germany : немецкий германия германский
british britain uk : британский британия великобритания
french france : французский франция
iran iranian : иран иранский
israel israeli : израиль израильский
austria austrian : австрия австрийский
switzerland swiss : швейцария швейцарский
azerbaijan azerbaijani : азербайджан азербайджанский
ashgabat : ашхабад ашгабат
vienna : вена вене
geneva : женева
paris : париж
rome : рим
moscow : москва московский
istanbul : стамбул
turkmenabat turkmenabad : туркменабад туркменабат
turkmenbashi : туркменбаши
culture cultural : культура культурный
education educational : образование образовательный просвещение
tradition : традиция обычай обряд
wedding marriage : свадьба свадебный брак
sport : спорт спортивный
chess : шахматы шахматный
football : футбол футбольный
cup : кубок кубка
player : игрок
snow snowfall : снег снегопад
driver : водитель
monday : понедельник
tuesday : вторник
thursday : четверг
friday : пятница
saturday : суббота
sunday : воскресенье
volunteer : волонтер доброволец
language : язык
book : книга
film : фильм кино
theatre : театр
video : видео видеоролик ролик видеообращение
message appeal : обращение послание
poster : плакат
drawing : рисунок
advertising : реклама
award prize : награждение награда приз премия
winner : победитель
website site : сайт
registration register : регистрация
economy economic : экономика экономический
business company entrepreneur : бизнес компания предприятие предприниматель
bank : банк банковский
gas : газ
oil : нефть
energy power : энергия энергетика энергетический
export : экспорт
import : импорт
transit : транзит транзитный
transport : перевозка транспортный
railway : железная железнодорожный
airport aviation : аэропорт авиационный
road : дорога дорожный
water : вода водный
environment ecology : экология окружающий
climate : климат
animal wildlife : животное
election vote : выборы голосование
democracy : демократия
rights : права
equality gender : равенство гендерный
society : общество общественный
public : публичный
civil : гражданский
citizen : гражданин
population : население
statistics : статистика
percent : процент
dollar : доллар
euro : евро
million : миллион млн
billion : миллиард млрд
thousand : тысяча тыс
hundred : сто сотня
open opening inaugurate : открытие открыть открылся
close closing concluded : закрытие завершить завершиться
begin start launch : начать запуск старт начаться
discuss discussion : обсудить обсуждение обсуждать
consider review : рассмотреть рассмотрены
announce : объявить объявили
adopt : принять принята принят
create establish : создать создание создан учредить
hold held host took : пройти прошел провести состояться состоялся состоялась прошла прошли проходит
work : работа
operation : операция
special : специальный
group : группа
team unit : команда подразделение
member : член
network : сеть
task : задача
goal objective aim : цель
sustainable : устойчивый
result : результат
speech remarks : выступление речь
responsibility : ответственность
order : порядок
status : статус
"""


@lru_cache(maxsize=1)
def notions() -> dict[str, str]:
    """From the stem of each word, English or Russian, to the name of its notion."""
    found: dict[str, str] = {}
    for line in NOTIONS.strip().splitlines():
        english, _, russian = line.partition(" : ")
        name = english.split()[0]
        for word in (*english.split(), *russian.split()):
            found.setdefault(stem(word), name)
    return found
