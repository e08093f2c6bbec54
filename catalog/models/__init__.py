"""What we know about shows: the rows that are the truth for admin, API and exports."""

from .change import Change
from .entities import Logo, Network, ProductionCompany, WatchProvider
from .links import PastWatchProvider, ShowNetwork, ShowProductionCompany, ShowWatchProvider
from .show import Show

__all__ = [
    "Change",
    "Logo",
    "Network",
    "PastWatchProvider",
    "ProductionCompany",
    "Show",
    "ShowNetwork",
    "ShowProductionCompany",
    "ShowWatchProvider",
    "WatchProvider",
]
