"""How much a term tells on this beat: the UN, Turkmenistan and "training" are in every second article.

Measured once on some hundred articles of the beat, as the logarithm of the share of articles that
hold the term, 1 for a term that is in hardly any. It is packaged, and not counted in each newsroom's
store, so that a comparison gives the same result today and in a year, in an empty store and in a
full one; `compare` takes another measure where one is wanted. A key that starts with "~" is the
skeleton of a word (digest/editorial/names.py).
"""

import re
from functools import lru_cache

_NOTHING = """
the a an of in on at to for from by with and or as is are was were be been being has have had it
its this that these those he she they them their his her we our you your i me my us which who
whom whose where when while what how why not no nor but also than then so such same other others
another more most any all each every both either neither one two three four five six seven eight
nine ten into over under about between among against during before after above below within
without through throughout per via will would can could may might shall should must do does did
doing done said say says told tell tells mr mrs ms dr there here up out off only very just if
because since until many much few several some own again further too even still well however
although whether like around including include included includes across along towards upon
и в во на с со к ко о об от до по за из у для при под над между через без не ни но а или что чтобы
как так же бы ли это этот эта эти этого этой этому этом этим этих тот та те того той тех то он она
они оно его ее их им ими него нее ней нем них себя себе свой своя свое свои своего своей своих
своим мы нас нам наш наша наши вы вас вам ваш который которая которое которые которого которой
которых которым котором которую где когда если также тоже уже еще был была было были быть есть
будет будут стать стал стала стали стало г гг году года годы годов один одна два две три четыре
пять шесть семь восемь девять десять более менее очень лишь только среди ради после перед во время
ход ходе рамках сообщает сообщил сообщила сообщили сказал сказала рассказал рассказали рассказала
заявил заявила отметил отметила отметили весь все всех всем всего каждый другой другие других иной
может могут можно нужно надо там тут здесь
"""

_COMMON = {
    0.15: """
        @UNODC
    """,
    0.2: """
        drug hold
    """,
    0.25: """
        asian central regional ~trkmnstn
    """,
    0.3: """
        border combat cooperation international meeting participant programme training
    """,
    0.35: """
        country customs discuss organization people representation state support work youth
    """,
    0.4: """
        agency ashgabat centre corruption crime expert illicit official prevention traffic year
        ~azbkstn
    """,
    0.45: """
        @OSCE control first global group head money national new security service strengthen
        ~afgnstn ~avint ~tJkstn
    """,
    0.5: """
        @CARICC @EU @UN development goal initiative law member prosecutor representative
        russian terrorism trade turkmen ~ant ~port
    """,
    0.55: """
        affairs cargo conference consumption day deputy enforcement information joint minister
        plan practice substance ~dSnb ~krgzstn ~kzhstn ~spok
    """,
    0.6: """
        @UNCAC begin chairman checkpoint department foreign forum government million network
        operation organize partnership project society strategy ~aSit ~kros ~mitol ~rol ~tSknt
    """,
    0.65: """
        @BOMCA @MIA @PCU @SCS adopt arrest business capacity challenge change close consider
        council data delegation director exchange health implementation inspection
        investigation kilogram migration ministry open province public risk seize session
        system threat transnational university video ~akton ~almot ~anlin ~bod ~frmvrk ~ginir
        ~k ~kndkt ~lorn ~pont ~prorit ~prsn ~prvl ~tgtr ~tvnt
    """,
    0.7: """
        @MFA committee court education evidence institution integrity kyrgyz opium
        participating platform police school survey turnover visit ~fokus ~fslt ~gurd ~kom ~kor
        ~pkstn ~prmt ~tim
    """,
    0.75: """
        abuse analysis container create detect document dollar economy embassy equipment human
        iran justice level method month peace president student technology ~adris ~ampvr
        ~atorit ~brgt ~dn ~fr ~krdntr ~lid ~lost ~mCnsm ~mngmnt ~plos ~pod ~prosis ~prsnt ~run
        ~sptmbr ~t ~tonk ~trok
    """,
    0.8: """
        @CCP @CND @ROCA @UNICEF @UNRCCA accelerate addiction commission culture cybercrime
        exercise experience extremism import interior israel journalist psychoactive pupil
        report result speech sustainable tajik talks team terminal transit transparency
        transport united uzbek vehicle week ~Sovid ~advnk ~afir ~afktv ~agolov ~aktvt ~antir
        ~askid ~avrsgt ~bigon ~disison ~dlvr ~dvhdnv ~forop ~fort ~g ~gotir ~gvrl ~hig ~holt
        ~kosis ~krdnt ~lin ~long ~mkng ~mosur ~ngos ~nivs ~nov ~polis ~pot ~prgrs ~rkmnd ~sid
        ~sinor ~sit ~slov ~stir ~stud ~tols ~trnr ~vmst
    """,
}

_RARITY = {key: rarity for rarity, keys in _COMMON.items() for key in keys.split()}

# Mary, Dashoguz, Balkanabat, Turkmenbashi, Lebap, Ahal and Arkadag: where an event was, not which.
TOWNS = frozenset(["~mor", "~dSgz", "~blknbt", "~trkmnbS", "~libop", "~ahol", "~arkdg"])
_RARITY |= dict.fromkeys((*TOWNS, "turkmenabat", "turkmenbashi"), 0.45)
# Not measured, but as usual as "detect" and "opium", or more so.
_RARITY |= {"find": 0.5, "heroin": 0.7, "cannabis": 0.7}
STOPWORDS = frozenset(_NOTHING.split())
"""Folded words, English and Russian, that tell nothing of what an article is about."""

_YEAR = re.compile(r"#(?:19|20)\d\d")
_SMALL = re.compile(r"#1?\d")


@lru_cache(maxsize=1 << 16)
def rarity_of(key: str) -> float:
    """From 0, in every article, to 1, in hardly any."""
    if key[0] == "#":
        if _YEAR.fullmatch(key):
            return 0.35
        return 0.6 if _SMALL.fullmatch(key) else 0.9
    return _RARITY.get(key, 1.0)
