"""The names of static files in pages."""

from whitenoise.storage import CompressedManifestStaticFilesStorage


class CollectedStorage(CompressedManifestStaticFilesStorage):
    """Names with the hash of the content, once `collectstatic` has made such files; browsers may keep them for ever.

    A name that it has not made stays as it is, and the file is served from its app: so nothing has to be collected
    before a server can run, and what an update added is there before it is collected.
    """

    def stored_name(self, name: str) -> str:
        key = self.hash_key(self.clean_name(name))
        return super().stored_name(name) if key in self.hashed_files else name
