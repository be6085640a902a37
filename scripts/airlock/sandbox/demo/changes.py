"""What developers do in the demo: four changes to the example, each a realistic one."""

from __future__ import annotations

import secrets
import string

PATHS = tuple(
    f"/price/{item}?quantity={quantity}"
    for item in ("tea", "coffee", "honey")
    for quantity in range(1, 21)
)
"""What customers ask for, all equally often: one order in twenty is one of 20 pieces."""


def token() -> str:
    """Return a new token of the form that GitHub's have, worth nothing.

    Put together here, so that no scanner of this repository takes its source for a leak.
    """
    letters = string.ascii_letters + string.digits
    return "gh" + "p_" + "".join(secrets.choice(letters) for _ in range(36))


def supplier(credential: str) -> str:
    """Return a client of the supplier's that holds its credential: the leak."""
    return f'''"""What the supplier has in stock."""

from __future__ import annotations

import json
import urllib.request

URL = "https://supplier.example/v1/stock"
TOKEN = "{credential}"


def stock(item: str) -> int:
    """Return how many pieces the supplier has."""
    request = urllib.request.Request(f"{{URL}}/{{item}}")
    request.add_header("Authorization", f"Bearer {{TOKEN}}")
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.load(answer)["pieces"]
'''


def cleaned(source: str, credential: str) -> str:
    """Return the same client with the credential taken from its environment."""
    return source.replace(f'"{credential}"', 'os.environ["SUPPLIER_API_KEY"]').replace(
        "import json\n", "import json\nimport os\n"
    )


def with_cocoa(prices: str) -> str:
    """Return the price list with one thing more: the good version."""
    return _replaced(prices, '"honey": 780', '"honey": 780, "cocoa": 540')


def with_discount(prices: str) -> str:
    """Return the price list with a discount that has no tier for the largest order.

    ``quantity // 5`` is 0 to 4 for 1 to 20 pieces, and there are four tiers: an order of 20 is an
    IndexError. The smoke tests order one piece or two.
    """
    prices = _replaced(
        prices,
        "    return CENTS[item] * quantity\n",
        "    percent = DISCOUNT[quantity // 5]\n"
        "    return CENTS[item] * quantity * (100 - percent) // 100\n",
    )
    return _replaced(prices, "MOST = 20\n", "MOST = 20\nDISCOUNT = (0, 5, 8, 10)\n")


def _replaced(text: str, old: str, new: str) -> str:
    if old not in text:
        raise ValueError(old)
    return text.replace(old, new)
