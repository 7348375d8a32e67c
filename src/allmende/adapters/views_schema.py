"""The tables of the read models, and how their file is opened.

Rule: amounts are decimal TEXT of pico-credits, so any size is exact; columns without a type
are counts, integers as long as 64 bits hold them and decimal text beyond. What trades is
bounded below 64 bits by the core: prices (pico-credits a grain) and grains are INTEGER.
Invariant: nothing here is the truth: drop the file and the journal makes it again, the same
to the byte of every row.
Worked number: a receipt is one row in `receipts`, one in `bodies`, one per payee in
`payments`, and adds to one row of `usage` per day, key and offer.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from allmende.core.units import METERS

VERSION = 11
"""Of the tables and of what is folded into them. A file of another version is folded anew."""

UNITS = METERS
ENERGY = (
    *("uj_low", "uj_high", "ug_low", "ug_high"),
    *("site_ul_low", "site_ul_high", "grid_ul_low", "grid_ul_high"),
    *("unstated_tokens", "unstated_output", "dry_uj"),
)
"""Microjoules, micrograms of CO2e, microlitres on site and off site, low and high ends; and what
is in none of them: tokens (of them output) of receipts without energy, microjoules (high) of
those without water."""
PARTIES = (
    *("account", "budget", "key", "provider", "offer"),
    *("title", "model", "country", "asset"),
)
"""What usage can be summed by."""
ROLLUPS = {"sales": PARTIES[3:], "spending": ("account", "asset")}
"""Usage again in fewer rows: whosever it was, and whatever it was for. Table -> its parties."""
CAPTURED = (
    *("account", "role", "asset", "day", "payer", "paid_with", "provider", "title", "model"),
    *("country", "operator", "parent", "parent_country"),
)
"""What earnings can be summed by: who earned what, where, out of whose use."""
CHUNK = 256
"""Leaves in one row of `batch_leaves`."""

_PARTIES = ", ".join(f"{name} TEXT NOT NULL" for name in PARTIES)
_CAPTURED = ", ".join(f"{name} TEXT NOT NULL" for name in CAPTURED)
_MEASURES = ", ".join((*UNITS, "price TEXT NOT NULL", *ENERGY))
_COUNTED = f"""receipts INTEGER NOT NULL, disagreed INTEGER NOT NULL, incomplete INTEGER NOT NULL,
  {_MEASURES}"""
_ROLLUPS = "".join(
    f"""CREATE TABLE {table} (  -- sums of usage
  day TEXT, {", ".join(f"{name} TEXT NOT NULL" for name in parties)}, {_COUNTED},
  PRIMARY KEY (day, {", ".join(parties)})) WITHOUT ROWID;
"""
    for table, parties in ROLLUPS.items()
)

TABLES = f"""
CREATE TABLE fold (  -- one row: how far the journal is folded, its head there, the open batch
  number INTEGER NOT NULL, head BLOB NOT NULL, now INTEGER NOT NULL,
  receipts INTEGER NOT NULL, batch INTEGER NOT NULL, leaves INTEGER NOT NULL);
INSERT INTO fold VALUES (0, zeroblob(32), 0, 0, 1, 0);
CREATE TABLE market (id TEXT, name TEXT, mode TEXT, operator TEXT, public_key TEXT, at INTEGER);

CREATE TABLE receipts (  -- number, changed: events that captured and last changed it
  number INTEGER PRIMARY KEY, changed INTEGER NOT NULL, id TEXT NOT NULL, at INTEGER NOT NULL,
  {_PARTIES}, endpoint TEXT NOT NULL, operator TEXT NOT NULL,
  {_MEASURES}, basis TEXT NOT NULL, verdict TEXT NOT NULL, outcome TEXT NOT NULL,
  "right" TEXT NOT NULL, grains NOT NULL, payer TEXT NOT NULL,
  final INTEGER NOT NULL, price_before TEXT, cause TEXT, batch INTEGER, batch_leaf INTEGER,
  frame INTEGER NOT NULL, frame_leaf INTEGER NOT NULL,
  captured_frame INTEGER NOT NULL, captured_leaf INTEGER NOT NULL);
CREATE INDEX receipts_id ON receipts (id);
CREATE INDEX receipts_changed ON receipts (changed);
-- each of these ends with `number`, so its newest come first
CREATE INDEX receipts_account ON receipts (account);
CREATE INDEX receipts_budget ON receipts (budget);
CREATE INDEX receipts_key ON receipts (key);
CREATE INDEX receipts_provider ON receipts (provider);
CREATE INDEX receipts_right ON receipts ("right") WHERE "right" <> '';
CREATE INDEX receipts_pending ON receipts (final) WHERE final = 0;
CREATE INDEX receipts_disputed ON receipts (verdict) WHERE verdict = 'disagrees';
CREATE TABLE bodies (  -- canonical receipts
  number INTEGER PRIMARY KEY, body BLOB NOT NULL);

CREATE TABLE payments (  -- lines of final receipts' waterfalls
  account TEXT, number INTEGER, line INTEGER, role TEXT NOT NULL, asset TEXT NOT NULL,
  amount TEXT NOT NULL, PRIMARY KEY (account, number, line)) WITHOUT ROWID;
CREATE TABLE earnings (  -- the same by day; payer: who used; paid_with: a right, or "" for credit
  {_CAPTURED}, payments INTEGER NOT NULL, amount TEXT NOT NULL,
  PRIMARY KEY ({", ".join(CAPTURED)})) WITHOUT ROWID;
CREATE INDEX earnings_day ON earnings (day);
CREATE TABLE usage (  -- final receipts, by the day they were delivered on
  day TEXT, {_PARTIES}, {_COUNTED},
  PRIMARY KEY (account, day, {", ".join(name for name in PARTIES if name != "account")})
  ) WITHOUT ROWID;
CREATE INDEX usage_day ON usage (day);
CREATE INDEX usage_budget ON usage (budget, day);
CREATE INDEX usage_provider ON usage (provider, day);
{_ROLLUPS}CREATE TABLE balances (  -- at the end of each hour (its first microsecond) with a posting
  account TEXT, asset TEXT, hour INTEGER, balance TEXT NOT NULL,
  PRIMARY KEY (account, asset, hour)) WITHOUT ROWID;
CREATE TABLE movements (
  number INTEGER PRIMARY KEY, at INTEGER, kind TEXT, source TEXT, target TEXT, asset TEXT,
  amount TEXT, reference TEXT);
CREATE INDEX movements_source ON movements (source);
CREATE INDEX movements_target ON movements (target);

CREATE TABLE batches (
  number INTEGER PRIMARY KEY, at INTEGER, event INTEGER, root BLOB, receipts_root BLOB,
  receipts INTEGER, net TEXT, frame INTEGER);
CREATE TABLE batch_leaves (  -- 32-byte leaf hashes, {CHUNK} to a row, the open batch's too
  batch INTEGER, start INTEGER, leaves BLOB NOT NULL, PRIMARY KEY (batch, start)) WITHOUT ROWID;

CREATE TABLE members (
  id TEXT PRIMARY KEY, name TEXT, kind TEXT, home TEXT, at INTEGER, tier INTEGER);
CREATE TABLE budgets (
  id TEXT PRIMARY KEY, name TEXT, owner TEXT, parent TEXT, asset TEXT, period TEXT,
  "limit" TEXT, at INTEGER);
CREATE INDEX budgets_parent ON budgets (parent);
CREATE TABLE keys (
  id TEXT PRIMARY KEY, member TEXT, role TEXT, budget TEXT, name TEXT, models TEXT,
  max_rate TEXT, per_minute INTEGER, expires INTEGER, at INTEGER, revoked INTEGER);
CREATE TABLE assets (id TEXT PRIMARY KEY, issuer TEXT, name TEXT, at INTEGER);
CREATE TABLE titles (
  id TEXT PRIMARY KEY, owner TEXT, kind TEXT, name TEXT, waterfall TEXT, evidence TEXT,
  licence TEXT, at INTEGER);
CREATE TABLE title_owners (  -- holder: the address on the chain, '' before there was one
  number INTEGER PRIMARY KEY, at INTEGER, title TEXT, owner TEXT, holder TEXT);
CREATE INDEX title_owners_title ON title_owners (title, number);
CREATE TABLE offers (  -- every version; `until` ends it, `withdrawn` says that none followed
  number INTEGER PRIMARY KEY, at INTEGER, offer TEXT, provider TEXT, title TEXT, model TEXT,
  asset TEXT, country TEXT, operator TEXT, parent TEXT, parent_country TEXT, terms TEXT,
  until INTEGER, withdrawn INTEGER NOT NULL DEFAULT 0);
CREATE INDEX offers_offer ON offers (offer);
CREATE TABLE parameters (
  number INTEGER, name TEXT, at INTEGER, value INTEGER, effective INTEGER, kind TEXT,
  PRIMARY KEY (number, name)) WITHOUT ROWID;

CREATE TABLE wallets (member TEXT PRIMARY KEY, address TEXT, asset TEXT, at INTEGER);
CREATE TABLE permits (  -- base, limit, vouched: cumulative on the lane; ended: expired or replaced
  number INTEGER PRIMARY KEY, at INTEGER, member TEXT, lane INTEGER, key TEXT, "limit" TEXT,
  models TEXT, expires INTEGER, budget TEXT, base TEXT, vouched TEXT, ended INTEGER);
CREATE INDEX permits_member ON permits (member);

CREATE TABLE instruments (  -- issued: minted less taken back; expired: nobody had used it
  id TEXT PRIMARY KEY, number INTEGER, at INTEGER, issuer TEXT, title TEXT, model TEXT,
  kind TEXT, settlement TEXT, asset TEXT, start INTEGER, "end" INTEGER, name TEXT, terms TEXT,
  issued INTEGER NOT NULL DEFAULT 0, expired INTEGER NOT NULL DEFAULT 0, settled INTEGER,
  figure INTEGER, resale INTEGER, defaulted TEXT NOT NULL DEFAULT '[]');
CREATE INDEX instruments_issuer ON instruments (issuer);
CREATE TABLE orders (  -- number, changed: events that placed and last changed it; quotes too
  number INTEGER PRIMARY KEY, changed INTEGER NOT NULL, id TEXT, at INTEGER, instrument TEXT,
  account TEXT, side TEXT, price INTEGER, grains INTEGER, until INTEGER, session TEXT,
  request TEXT, "left" INTEGER, filled INTEGER, cost TEXT, ended INTEGER, cause TEXT);
CREATE INDEX orders_id ON orders (id);
CREATE INDEX orders_account ON orders (account);
CREATE INDEX orders_live ON orders (account) WHERE ended IS NULL;
CREATE TABLE trades (  -- trade: its number within the instrument; taker: "" in an auction
  number INTEGER PRIMARY KEY, trade INTEGER, at INTEGER, instrument TEXT, asset TEXT,
  price INTEGER, grains INTEGER, buyer TEXT, seller TEXT, buy TEXT, sell TEXT, taker TEXT,
  fee TEXT);
CREATE INDEX trades_instrument ON trades (instrument);
CREATE INDEX trades_buyer ON trades (buyer);
CREATE INDEX trades_seller ON trades (seller);
CREATE TABLE candles (  -- minute: its first microsecond
  instrument TEXT, minute INTEGER, open INTEGER, high INTEGER, low INTEGER, close INTEGER,
  volume TEXT, turnover TEXT, trades INTEGER, PRIMARY KEY (instrument, minute)) WITHOUT ROWID;
CREATE TABLE claims (
  number INTEGER PRIMARY KEY, id TEXT, at INTEGER, instrument TEXT, account TEXT,
  grains INTEGER, stake TEXT, due INTEGER, settled INTEGER, upheld INTEGER);
CREATE TABLE settlements (  -- what a window's end or a claim took from and brought to an account
  account TEXT, number INTEGER, at INTEGER, kind TEXT, instrument TEXT, asset TEXT,
  grains TEXT, amount TEXT, PRIMARY KEY (account, number)) WITHOUT ROWID;

CREATE TABLE registries (  -- every version; of the newest the rows are in the next three
  version INTEGER PRIMARY KEY, number INTEGER, at INTEGER, sha256 TEXT, source TEXT,
  importer TEXT, actors INTEGER, stakes INTEGER, supplies INTEGER);
CREATE TABLE actors (
  id TEXT PRIMARY KEY, name TEXT, jurisdiction TEXT, roles TEXT, form TEXT, brand TEXT, lei TEXT,
  accounts TEXT, website TEXT, source TEXT, date TEXT, grade TEXT);
CREATE TABLE stakes (
  holder TEXT, entity TEXT, votes_ppm INTEGER, economic_ppm INTEGER, contract INTEGER,
  source TEXT, date TEXT, grade TEXT, PRIMARY KEY (entity, holder)) WITHOUT ROWID;
CREATE TABLE supplies (
  scope TEXT, subject TEXT, layer TEXT, supplier TEXT, access TEXT, source TEXT, date TEXT,
  grade TEXT, PRIMARY KEY (scope, subject, layer, supplier)) WITHOUT ROWID;
CREATE TABLE drills (  -- closed: the event that ended it; refused: at least so many requests
  number INTEGER PRIMARY KEY, id TEXT, at INTEGER, label TEXT, offers TEXT, until INTEGER,
  ended INTEGER, closed INTEGER, cause TEXT, refused INTEGER NOT NULL DEFAULT 0);
CREATE TABLE decisions (  -- value: exact, as text; effective, at: microseconds
  number INTEGER PRIMARY KEY, proposal INTEGER, kind TEXT, name TEXT, value TEXT,
  effective INTEGER, at INTEGER, undone TEXT);
CREATE TABLE juries (  -- pool: the published list; seed, drawn: NULL until it is drawn
  number INTEGER PRIMARY KEY, id TEXT, at INTEGER, size INTEGER, source TEXT, pool TEXT,
  list_sha256 TEXT, drawn_at INTEGER, seed TEXT, drawn TEXT);

CREATE TABLE evidence (  -- offer "": of all that the provider sells; confirmed_by "": a claim
  number INTEGER PRIMARY KEY, at INTEGER, id TEXT, provider TEXT, offer TEXT, framework TEXT,
  objective TEXT, level INTEGER, claim TEXT, issuer TEXT, issued INTEGER, expires INTEGER,
  document TEXT, rests_on TEXT, filed_by TEXT, confirmed_by TEXT, confirmed INTEGER,
  ended INTEGER, cause TEXT, ended_by TEXT);
CREATE INDEX evidence_provider ON evidence (provider);
CREATE TABLE assessments (  -- signer: the person; key: what it was signed with
  number INTEGER PRIMARY KEY, at INTEGER, provider TEXT, offer TEXT, regime TEXT,
  exposure INTEGER, kill_switch INTEGER, reasoning TEXT, signer TEXT, "key" TEXT,
  expires INTEGER, ended INTEGER, cause TEXT, ended_by TEXT);
CREATE TABLE floors (  -- objects: objective or regime -> number
  number INTEGER PRIMARY KEY, at INTEGER, budget TEXT, min_seal TEXT, max_exposure TEXT,
  max_kill_switch TEXT, "by" TEXT, ended INTEGER);
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection that writes, to tables of this version; others are dropped and made anew.

    Lost power may lose the last folds, never the file's consistency: the journal has them.
    """
    db = sqlite3.connect(path, isolation_level=None, timeout=30)
    db.execute("PRAGMA page_size = 8192")  # a new file's; commits are a quarter cheaper
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("PRAGMA cache_size = -32768")
    db.execute("PRAGMA wal_autocheckpoint = 4096")
    if _version(db) != VERSION:
        reset(db, only_if_old=True)
    db.create_function("plus", 2, plus, deterministic=True)
    return db


def reset(db: sqlite3.Connection, *, only_if_old: bool = False) -> None:
    """Drop every table and make them empty, in one transaction."""
    db.execute("BEGIN IMMEDIATE")
    if not only_if_old or _version(db) != VERSION:
        for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            db.execute(f'DROP TABLE "{name}"')
        for statement in TABLES.split(";\n"):
            db.execute(statement)
        db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, for use by one thread at a time."""
    db = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False, timeout=10
    )
    db.execute("PRAGMA query_only = ON")
    return db


def plus(one: int | str, other: int | str) -> int | str:
    """Exact sum; text stays text, and an integer becomes text where 64 bits end."""
    total = int(one) + int(other)
    return str(total) if isinstance(one, str) else fit(total)


def fit(value: int) -> int | str:
    """An integer as SQLite can hold it without loss."""
    return value if -(1 << 63) <= value < 1 << 63 else str(value)


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])
