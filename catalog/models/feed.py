"""What readers of the API go by: which state an answer was made from, and how far back the feed of changes goes."""

from django.db import models
from django.db.models import Q


class Revision(models.Model):
    """The state of one show (`show:` and its id in hex), of all shows (`shows`) or of all entities (`entities`).

    The token is drawn anew, by triggers of the database, in every transaction that writes them: as long as
    it is the same, an answer that was made under it is what one made now would be. `catalog.revisions` says how.
    """

    key = models.CharField(primary_key=True)
    token = models.CharField()

    class Meta:
        constraints = (models.CheckConstraint(condition=~Q(key="") & ~Q(token=""), name="revision_is_set"),)

    def __str__(self) -> str:
        return self.key


class FeedStart(models.Model):
    """The one row that says up to which id changes may have been pruned: who has seen less must read all anew."""

    id = models.SmallAutoField(primary_key=True)
    pruned_through = models.BigIntegerField(default=0)

    class Meta:
        constraints = (models.CheckConstraint(condition=Q(id=1), name="one_feed_start"),)

    def __str__(self) -> str:
        return str(self.pruned_through)
