"""The receiver that one writes first: Flask on waitress, sqlite3, committed before it answers.

    python flask_receiver.py PORT DATABASE

Synchronous writes as the standard library's SQLite has them by default (rollback journal, synchronous=FULL), one row a
receipt with a primary key, so that repeats are stored once. It checks nothing, keeps no rejects and no states.
"""

import json
import sqlite3
import sys
import threading

from flask import Flask, Response, request
from waitress import serve  # type: ignore[import-untyped]

PORT, DATABASE = int(sys.argv[1]), sys.argv[2]
app = Flask(__name__)
local = threading.local()


def connection() -> sqlite3.Connection:
    """A connection for each of waitress's threads."""
    if not hasattr(local, "db"):
        local.db = sqlite3.connect(DATABASE, timeout=30)
        local.db.execute(
            "CREATE TABLE IF NOT EXISTS receipt (biz_id TEXT, phone TEXT, status TEXT, reported TEXT, body TEXT,"
            " PRIMARY KEY (biz_id, phone))"
        )
    db: sqlite3.Connection = local.db
    return db


@app.post("/callback")
def callback() -> Response:
    """Store, commit, answer."""
    rows = [
        (it["biz_id"], it["phone_number"], it["err_code"], it["report_time"], json.dumps(it))
        for it in request.json or []
    ]
    with connection() as db:
        db.executemany("INSERT OR IGNORE INTO receipt VALUES (?, ?, ?, ?, ?)", rows)
    return Response('{"code":0,"msg":"成功"}', content_type="application/json")


if __name__ == "__main__":
    sqlite3.connect(DATABASE).execute("PRAGMA journal_mode = WAL")  # or it would be slower still
    connection()
    serve(app, host="127.0.0.1", port=PORT, threads=16, connection_limit=200, _quiet=True)
