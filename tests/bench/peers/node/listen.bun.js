// A receiver of pushes as one writes it on Bun: it answers after the commit.
//
//     bun listen.bun.js PORT DATABASE
import {Database} from 'bun:sqlite';

const [port, path] = process.argv.slice(2);
const db = new Database(path);
db.run('PRAGMA journal_mode = WAL');
db.run('PRAGMA synchronous = FULL');
db.run('CREATE TABLE IF NOT EXISTS receipt (biz_id TEXT, phone TEXT, body TEXT, PRIMARY KEY (biz_id, phone))');
const insert = db.prepare('INSERT OR IGNORE INTO receipt VALUES (?, ?, ?)');
const keep = db.transaction((group) => {
  for (const {rows} of group) for (const it of rows) insert.run(it.biz_id, it.phone_number, JSON.stringify(it));
});
const type = {headers: {'Content-Type': 'application/json;charset=utf-8'}};
let waiting = [];

// What waits when the event loop comes round shares a transaction.
function commit() {
  const group = waiting;
  waiting = [];
  let answered = () => new Response('{"code":0,"msg":"成功"}', type);
  try {
    keep(group);
  } catch {
    answered = () => new Response('not stored', {status: 503});
  }
  for (const {resolve} of group) resolve(answered());
}

Bun.serve({
  hostname: '127.0.0.1',
  port: Number(port),
  async fetch(request) {
    let rows;
    try {
      rows = await request.json();
    } catch {
      return new Response('no JSON', {status: 400});
    }
    return new Promise((resolve) => {
      if (waiting.push({rows, resolve}) === 1) setImmediate(commit);
    });
  },
});
