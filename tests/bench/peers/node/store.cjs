// Receipts under (biz_id, phone), committed in groups: what waits when the event loop comes round shares a transaction.
'use strict';

const Database = require('better-sqlite3');

exports.open = function open(path) {
  const db = new Database(path);
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  db.exec('CREATE TABLE IF NOT EXISTS receipt (biz_id TEXT, phone TEXT, body TEXT, PRIMARY KEY (biz_id, phone))');
  const insert = db.prepare('INSERT OR IGNORE INTO receipt VALUES (?, ?, ?)');
  const keep = db.transaction((group) => {
    for (const batch of group) for (const row of batch.rows) insert.run(row.biz_id, row.phone_number, row.body);
  });
  let waiting = [];
  function commit() {
    const group = waiting;
    waiting = [];
    try {
      keep(group);
    } catch (error) {
      for (const batch of group) batch.reject(error);
      return;
    }
    for (const batch of group) batch.resolve();
  }
  // Resolves after the rows are committed.
  return (rows) => new Promise((resolve, reject) => {
    if (waiting.push({rows, resolve, reject}) === 1) setImmediate(commit);
  });
};
