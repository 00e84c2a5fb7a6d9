"""Values that several tests of signing share."""

from hypothesis import strategies as st

from clearwindow.core.strict_json import JsonNumber, JsonValue
from clearwindow.signing.keys import PrivateKey, generate_private_key

XPRV = (
    "xprv9s21ZrQH143K3WG4of3nSYUC55XNFCgZTyghae9cMSFDkcKU7YJgTahJMpdTY9CjC"
    "cjgSo2TJ635uUVx176BufUMBFpieKYVJD9J3VvrGRm"
)
PAYLOAD = '{"token":"otestusd"}'
SIGNATURE = (
    "2049b94a22c69650ad9529767da993a23c078347fdf7d887409793dce8d07190e1"
    "08a846869edf387d294cd75c6c770a12847615b2553b22a61de29be5d91770dd"
)
CURVE_ORDER = int("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141", 16)
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
TEXTS = st.text(CHARACTERS, max_size=20)


def vector_key() -> PrivateKey:
    return PrivateKey.parse(XPRV)


def other_key(seed: int = 1) -> PrivateKey:
    return generate_private_key(bytes([seed]) * 32)


def json_values(max_leaves: int = 20) -> st.SearchStrategy[JsonValue]:
    """Documents as `parse_json` returns them."""
    numbers = st.one_of(
        st.integers(-(10**30), 10**30).map(str),
        st.floats(allow_nan=False, allow_infinity=False).map(repr),
    ).map(JsonNumber)
    leaves: st.SearchStrategy[JsonValue] = st.one_of(st.none(), st.booleans(), TEXTS, numbers)
    return st.recursive(
        leaves,
        lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
        max_leaves=max_leaves,
    )


def json_objects() -> st.SearchStrategy[dict[str, JsonValue]]:
    return st.dictionaries(TEXTS, json_values(), max_size=5)
