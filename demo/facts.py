"""Facts about real, well-known reality and talk shows, written by hand.

No id is invented: what is not known is left out, and the stand-in then answers null. Where to watch
is told for a few regions only. Votes are those of early 2024; they are there to look real.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

Regions = Mapping[str, Mapping[str, tuple[int, ...]]]  # region -> offer type -> provider ids


@dataclass(frozen=True)
class Network:
    name: str
    origin_country: str  # "" where TMDb has none


@dataclass(frozen=True)
class Provider:
    name: str  # as upstream spells it, with its stray blanks
    priority: int
    priorities: Mapping[str, int]  # by region, where it differs from `priority`


@dataclass(frozen=True)
class Show:
    id: int
    name: str
    networks: tuple[int, ...]  # in upstream's order
    genres: tuple[int, ...]
    overview: str
    imdb_id: str | None = None
    first_air_date: str | None = None
    type: str | None = "Reality"
    status: str | None = None
    country: str = "US"
    language: str = "en"
    original_name: str | None = None
    votes: tuple[float, int] | None = None  # average, count
    watch: Regions = field(default_factory=dict)


GENRES = {35: "Comedy", 18: "Drama", 10751: "Family", 10764: "Reality", 10767: "Talk"}

NETWORKS = {
    2: Network("ABC", "US"),
    4: Network("BBC One", "GB"),
    6: Network("NBC", "US"),
    16: Network("CBS", "US"),
    19: Network("FOX", "US"),
    33: Network("MTV", "US"),
    34: Network("Lifetime", "US"),
    62: Network("Logo", "US"),
    74: Network("Bravo", "US"),
    149: Network("ITV2", "GB"),
    156: Network("SBS", "KR"),
    158: Network("VH1", "US"),
    332: Network("BBC Two", "GB"),
    1267: Network("Freeform", "US"),
    2739: Network("Disney+", ""),
    5972: Network("Viu", "PH"),
}

PROVIDERS = {
    2: Provider("Apple TV Store", 3, {"GB": 5, "US": 9}),
    8: Provider("Netflix", 0, {}),
    10: Provider("Amazon Video", 36, {"GB": 8, "US": 8}),
    15: Provider("Hulu", 6, {}),
    21: Provider("Stan", 12, {}),
    38: Provider("BBC iPlayer", 15, {}),
    41: Provider("ITVX", 22, {}),
    73: Provider("Tubi TV", 346, {}),
    97: Provider("Watcha", 6, {}),
    158: Provider("Viu", 21, {"ID": 6, "MY": 6, "PH": 9, "SG": 7}),
    223: Provider("Hayu", 5, {"AU": 7, "DE": 21, "GB": 33, "NL": 6}),
    230: Provider("Crave", 6, {}),
    273: Provider("Neon TV", 6, {}),
    337: Provider("Disney Plus", 3, {"CA": 2, "US": 5}),
    344: Provider("Rakuten Viki", 18, {"CA": 90, "DE": 36, "US": 96}),
    365: Provider("Bravo TV", 98, {}),
    378: Provider("9Now", 17, {}),
    386: Provider("Peacock Premium", 16, {}),
    387: Provider("Peacock Premium Plus", 213, {}),
    464: Provider("Kocowa", 328, {"AU": 89, "BR": 76, "CA": 133, "DE": 196, "FR": 85, "GB": 152, "MX": 68, "SE": 50}),
    531: Provider("Paramount Plus", 7, {"GB": 9, "US": 18}),
    546: Provider(
        "WOW Presents Plus",
        11,
        {"DE": 50, "GB": 46, "IE": 22, "JP": 12, "KR": 14, "NZ": 21, "SE": 23, "SG": 16, "TH": 13},
    ),
    575: Provider("OnDemandKorea", 135, {}),
    582: Provider("Paramount+ Amazon Channel", 26, {}),
    633: Provider("Paramount+ Roku Premium Channel", 62, {}),
    1796: Provider("Netflix Standard with Ads", 151, {"KR": 27}),
    1853: Provider("Paramount Plus Apple TV Channel ", 27, {"GB": 87, "IE": 40, "US": 23}),
    2300: Provider("ITVX Premium", 113, {}),
    2303: Provider("Paramount Plus Premium", 14, {"GB": 119, "IE": 45}),
    2304: Provider("Paramount Plus Basic with Ads", 46, {"GB": 120}),
    2413: Provider("Kocowa Amazon Channel", 262, {}),
    2616: Provider("Paramount Plus Essential", 15, {}),
}


def flatrate(provider: int, regions: str) -> dict[str, Mapping[str, tuple[int, ...]]]:
    """The one subscription service that has a show in each of these regions (blanks between them)."""
    return {region: {"flatrate": (provider,)} for region in regions.split()}


PEACOCK = (386, 387)
PARAMOUNT = (2303, 2616)
STORES = (10, 2)
RETURNING = "Returning Series"
# Hayu carries Bravo's shows wherever Peacock is not.
BRAVO: Regions = {
    **flatrate(223, "AU CA DE GB IE NL SE SG"),
    "US": {"flatrate": (*PEACOCK, 365), "buy": STORES},
}

SHOWS = (
    Show(
        45, "Top Gear", (4, 332), (10764, 10767),
        "Presenters test cars, race them against anything that moves and put guests on a lap of the track.",
        imdb_id="tt1628033", first_air_date="2002-10-20", type=None, country="GB",
        watch={"GB": {"free": (38,), "buy": STORES}, "US": {"buy": STORES}},
    ),
    Show(
        1508, "Dancing with the Stars", (2, 2739), (10751, 10764),
        "Celebrities learn ballroom dances from professionals; every week one pair is sent home.",
        imdb_id="tt0463398", first_air_date="2005-06-01", status=RETURNING, votes=(6.0, 90),
        watch={"US": {"flatrate": (337, 15)}, "CA": {"flatrate": (337,)}},
    ),
    Show(
        1685, "Project Runway", (34, 74, 1267), (10764,),
        "Fashion designers face a new brief and a short deadline every week, then a runway.",
        first_air_date="2004-12-01", status=RETURNING,
        watch={"US": {"flatrate": (15, 337), "buy": STORES}, **flatrate(223, "AU CA GB")},
    ),
    Show(
        3626, "American Idol", (19,), (10764,),
        "Unknown singers audition across the country for a place on a stage where the audience votes.",
        imdb_id="tt0319931", first_air_date="2002-06-11", status=RETURNING, votes=(5.173, 147),
        watch={"US": {"flatrate": (15, 337)}},
    ),
    Show(
        4551, "America's Got Talent", (6,), (10764,),
        "Acts of any kind and any age have a few minutes to win over the judges, and then the country.",
        imdb_id="tt0759364", first_air_date="2006-06-21", status=RETURNING, votes=(5.6, 238),
        watch={"US": {"flatrate": PEACOCK}},
    ),
    Show(
        8514, "RuPaul's Drag Race", (33, 62, 158), (10764,),
        "Drag queens sew, act, joke and lip-sync for the title of America's next drag superstar.",
        imdb_id="tt1353056", first_air_date="2009-02-02", status=RETURNING, votes=(7.7, 76),
        watch={
            **flatrate(546, "DE GB IE JP KR NZ SE SG TH ZA"), **flatrate(230, "CA"), **flatrate(21, "AU"),
            "US": {"flatrate": PARAMOUNT, "buy": STORES},
        },
    ),
    Show(
        10160, "Big Brother", (16,), (10764,),
        "Strangers share a house full of cameras, cut off from the world, and vote each other out.",
        imdb_id="tt0251497", first_air_date="2000-07-05", status=RETURNING,
        watch={"US": {"flatrate": PARAMOUNT}},
    ),
    Show(
        10222, "The Real Housewives of Orange County", (74,), (18, 10764),
        "Wealth, friendship and the lack of both behind the gates of Southern California.",
        first_air_date="2006-03-21", status=RETURNING, votes=(3.67, 3), watch=BRAVO,
    ),
    Show(
        14658, "Survivor", (16,), (10764,),
        "Castaways build a camp, compete for immunity and vote one another off until a jury picks a winner.",
        imdb_id="tt0239195", first_air_date="2000-05-31", status=RETURNING, votes=(7.4, 356),
        watch={"US": {"flatrate": PARAMOUNT, "buy": STORES}},
    ),
    # Not imported under its own id: the CSV has Top Gear's IMDb id for it, a mistake found in the wild.
    Show(
        18204, "The Real Housewives of New Jersey", (74,), (10764,),
        "Families close enough to share a kitchen, and to fall out over it, in the Garden State.",
        imdb_id="tt1411598", first_air_date="2009-05-12", watch=BRAVO,
    ),
    Show(
        22980, "Watch What Happens Live with Andy Cohen", (74,), (35, 10767),
        "A live late-night talk show with a bar, where guests answer what nobody else dares ask.",
        imdb_id="tt2057880", first_air_date="2009-07-16", type="Talk Show", status=RETURNING, votes=(5.8, 22),
        watch={"US": {"flatrate": (*PEACOCK, 365)}, **flatrate(223, "AU CA GB")},
    ),
    Show(
        32390, "The Real Housewives of Beverly Hills", (74,), (10764,),
        "Diamonds, dinner parties and long memories in the most famous postcode of California.",
        imdb_id="tt1720601", first_air_date="2010-10-14", status=RETURNING, watch=BRAVO,
    ),
    Show(
        33238, "Running Man", (156, 5972), (35, 10764),
        "A fixed cast and their guests run, hide and tear off name tags through missions all over the city.",
        first_air_date="2010-07-11", status=RETURNING, country="KR", language="ko", original_name="런닝맨",
        votes=(8.3, 170),
        watch={
            **flatrate(464, "AU BR FR GB MX SE"),
            "CA": {"flatrate": (344, 464)},
            "DE": {"ads": (344,), "flatrate": (344, 464)},
            "ID": {"ads": (158,)},
            "KR": {"flatrate": (8, 97, 1796)},
            "MY": {"ads": (158,), "flatrate": (158,)},
            "PH": {"ads": (158,)},
            "SG": {"ads": (158,)},
            "TH": {"ads": (158,)},
            "US": {"flatrate": (344, 575, 2413, 464)},
        },
    ),
    Show(
        37678, "The Voice", (6,), (10764,),
        "Coaches listen with their backs turned, choose voices they cannot see and train them to the final.",
        imdb_id="tt1839337", first_air_date="2011-04-26", status=RETURNING, votes=(6.0, 192),
        watch={"US": {"flatrate": PEACOCK}},
    ),
    Show(
        46910, "Catfish: The TV Show", (33,), (10764,),
        "Two hosts find out who is really behind an online romance, and bring both sides face to face.",
        first_air_date="2012-11-12", votes=(5.0, 8),
        watch={"US": {"flatrate": PARAMOUNT}, **flatrate(531, "GB")},
    ),
    Show(
        63770, "The Late Show with Stephen Colbert", (16,), (35, 10767),
        "Monologue, desk, guests and band: the evening's news told by a comedian from a Broadway theatre.",
        imdb_id="tt3697842", first_air_date="2015-09-08", type="Talk Show", votes=(6.5, 230),
        watch={
            "GB": {"free": (531, 1853, 2303, 2304)},
            "IE": {"free": (531, 1853, 2303, 2304)},
            "NZ": {"flatrate": (273,)},
            "US": {"flatrate": (2303, 2616, 1853, 582, 633)},
        },
    ),
    Show(
        66636, "Love Island", (149,), (10764,),
        "Singles in a villa couple up, break up and stay only as long as somebody chooses them.",
        first_air_date="2015-06-07", status=RETURNING, country="GB", votes=(6.0, 85),
        watch={"GB": {"ads": (41,), "flatrate": (2300,)}, "US": {"flatrate": (15,)}, "AU": {"ads": (378,)}},
    ),
    Show(
        84910, "The Masked Singer", (19,), (10764,),
        "Celebrities sing inside costumes while a panel guesses who is under the mask.",
        first_air_date="2019-01-02", votes=(8.005, 102),
        watch={"US": {"flatrate": (15,), "ads": (73,)}},
    ),
)  # fmt: skip
