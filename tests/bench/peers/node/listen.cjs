// A receiver of pushes as one writes it on Node: it answers after the commit.
//
//     node listen.cjs PORT DATABASE
'use strict';

const http = require('node:http');

const [port, path] = process.argv.slice(2);
const keep = require('./store.cjs').open(path);
const stored = Buffer.from('{"code":0,"msg":"成功"}');
const headers = {'Content-Type': 'application/json;charset=utf-8', 'Content-Length': stored.length};

async function answer(text, response) {
  let rows;
  try {
    rows = JSON.parse(text).map((it) => (
      {biz_id: it.biz_id, phone_number: it.phone_number, body: JSON.stringify(it)}));
  } catch {
    response.writeHead(400).end();
    return;
  }
  try {
    await keep(rows);
  } catch {
    response.writeHead(503).end();
    return;
  }
  response.writeHead(200, headers).end(stored);
}

http.createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => answer(Buffer.concat(parts).toString(), response));
}).listen(Number(port), '127.0.0.1');
