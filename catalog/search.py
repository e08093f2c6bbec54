"""How names are compared when people search: without case, accents and doubled blanks, on both databases alike."""

import unicodedata


def name_key(text: str) -> str:
    """`  Réal  HOUSEWIVES ` -> `real housewives`. Signs stay, as people search for `&` and `90's` too."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    plain = " ".join("".join(letter for letter in folded if not unicodedata.combining(letter)).split())
    return plain or text.strip() or text  # a name of accents alone
