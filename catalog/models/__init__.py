"""What we know about shows: the rows that are the truth for admin, API and exports."""

from .access import AccessEvent
from .batch import Batch
from .change import Change
from .desk import ReviewMark, SavedView
from .entities import Logo, Network, ProductionCompany, WatchProvider
from .feed import FeedStart, Revision
from .links import PastWatchProvider, ShowNetwork, ShowProductionCompany, ShowWatchProvider
from .show import Show

__all__ = [
    "AccessEvent",
    "Batch",
    "Change",
    "FeedStart",
    "Logo",
    "Network",
    "PastWatchProvider",
    "ProductionCompany",
    "ReviewMark",
    "Revision",
    "SavedView",
    "Show",
    "ShowNetwork",
    "ShowProductionCompany",
    "ShowWatchProvider",
    "WatchProvider",
]
