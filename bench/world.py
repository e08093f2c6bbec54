"""Generated shows in TMDb's shape, made anew from their number: as many as asked for, in no memory."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

REGIONS = [a + b for a in "ABCDEFGHIJKL" for b in "ABCDE"]  # 60
OFFER_TYPES = ("flatrate", "flatrate", "flatrate", "buy", "rent", "ads", "free")
NETWORKS, COMPANIES, PROVIDERS = 60, 150, 120


def imdb_id_of(number: int) -> str:
    return f"tt{9_000_000 + number}"


def entity(kind: str, number: int) -> dict[str, Any]:
    return {"id": number, "name": f"{kind} {number}", "logo_path": f"/{kind}-{number}.png", "origin_country": "US"}


class GeneratedShows(Mapping[int, dict[str, Any]]):
    """Shows 1 to `count`, each with up to `regions` regions; the same number always gives the same reply."""

    def __init__(self, count: int, regions: int) -> None:
        self.count, self.regions = count, regions

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[int]:
        return iter(range(1, self.count + 1))

    def __getitem__(self, number: int) -> dict[str, Any]:
        if not 1 <= number <= self.count:
            raise KeyError(number)
        chance = random.Random(number)
        return {
            "adult": False,
            "first_air_date": f"20{number % 20 + 5:02d}-03-21",
            "genres": [{"id": 10764, "name": "Reality"}],
            "homepage": "",
            "id": number,
            "in_production": True,
            "last_air_date": "2026-05-01",
            "last_episode_to_air": {
                "id": number,
                "name": "Reunion",
                "air_date": "2026-05-01",
                "season_number": 3,
                "episode_number": 12,
            },
            "name": f"Show {number}",
            "networks": [entity("network", n) for n in chance.sample(range(1, NETWORKS + 1), chance.randint(1, 2))],
            "number_of_episodes": 36,
            "number_of_seasons": 3,
            "original_name": f"Show {number}",
            "overview": "Friends, feuds and a reunion. " * 8,
            "popularity": 12.5,
            "production_companies": [
                entity("company", n) for n in chance.sample(range(1, COMPANIES + 1), chance.randint(0, 3))
            ],
            "seasons": [],
            "status": "Ended",
            "tagline": "",
            "type": "Reality",
            "vote_average": 6.1,
            "vote_count": 120,
            "external_ids": {"imdb_id": imdb_id_of(number), "tvdb_id": number + 1, "wikidata_id": f"Q{number + 1}"},
            "keywords": {"results": [{"id": 1, "name": "reunion"}, {"id": 2, "name": "friendship"}]},
            "watch/providers": {"results": self.offers(chance)},
        }

    def offers(self, chance: random.Random) -> dict[str, Any]:
        regions = chance.sample(REGIONS, chance.randint(0, self.regions))
        return {region: self.offers_in(region, chance) for region in regions}

    def offers_in(self, region: str, chance: random.Random) -> dict[str, Any]:
        """As recorded replies have them: about 2.5 offers a region, most of them by subscription."""
        block: dict[str, Any] = {"link": f"https://www.themoviedb.org/tv/watch?locale={region}"}
        for provider in chance.sample(range(1, PROVIDERS + 1), chance.choice((1, 1, 2, 2, 3, 4, 5))):
            block.setdefault(chance.choice(OFFER_TYPES), []).append(
                {
                    "display_priority": provider,
                    "logo_path": f"/provider-{provider}.jpg",
                    "provider_id": provider,
                    "provider_name": f"provider {provider}",
                }
            )
        return block


class GeneratedImdbIds(Mapping[str, int]):
    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[str]:
        return (imdb_id_of(number) for number in range(1, self.count + 1))

    def __getitem__(self, imdb_id: str) -> int:
        number = int(imdb_id.removeprefix("tt")) - 9_000_000
        if not 1 <= number <= self.count:
            raise KeyError(imdb_id)
        return number
