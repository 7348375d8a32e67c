"""A client of the exchange: typed, sync and async.

    from allmende.client import Client

    with Client("http://127.0.0.1:8700", key) as market:
        market.buy("december", "1.5", "3.1")
        for change in market.follow("december"):
            print(change.book.bid, change.book.ask)

`calls`, `line` and `market` do no I/O; `sync` and `aio` carry their bytes and nothing else.
"""

from allmende.client.aio import AsyncClient
from allmende.client.market import Book, Change
from allmende.client.sync import Client
from allmende.client.words import Failed

__all__ = ["AsyncClient", "Book", "Change", "Client", "Failed"]
