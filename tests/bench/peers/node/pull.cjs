// A queue consumer as one writes it on Node: LOOPS loops receive 16 messages, wait for the commit, and delete them.
//
//     node pull.cjs URL QUEUE DATABASE LOOPS
'use strict';

const crypto = require('node:crypto');
const http = require('node:http');

const [url, queue, path, loops] = process.argv.slice(2);
const keep = require('./store.cjs').open(path);
const {hostname, port} = new URL(url);
const agent = new http.Agent({keepAlive: true, maxSockets: Number(loops)});
const resource = `/queues/${queue}/messages`;
const version = '2015-06-06';
const id = process.env.ALIBABA_CLOUD_ACCESS_KEY_ID;
const secret = process.env.ALIBABA_CLOUD_ACCESS_KEY_SECRET;

// One signed request; resolves to its status and text.
function call(method, query, body) {
  const date = new Date().toUTCString();
  const type = body ? 'text/xml' : '';
  const text = `${method}\n\n${type}\n${date}\nx-mns-version:${version}\n${resource}${query}`;
  const signature = crypto.createHmac('sha1', secret).update(text).digest('base64');
  const headers = {Date: date, 'x-mns-version': version, Authorization: `MNS ${id}:${signature}`};
  if (body) Object.assign(headers, {'Content-Type': type, 'Content-Length': Buffer.byteLength(body)});
  return new Promise((resolve, reject) => {
    const request = http.request({agent, hostname, port, method, path: resource + query, headers}, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({status: answer.statusCode, text: Buffer.concat(parts).toString()}));
    });
    request.on('error', reject);
    request.end(body);
  });
}

const found = /<ReceiptHandle>([^<]*)<\/ReceiptHandle>[^]*?<MessageBody>([^<]*)<\/MessageBody>/g;

async function drain() {
  for (;;) {
    const {status, text} = await call('GET', '?numOfMessages=16&waitseconds=1');
    if (status === 404 && text.includes('MessageNotExist')) return;
    if (status !== 200) throw new Error(`receive: ${status} ${text}`);
    const handles = [];
    const rows = [];
    for (const [, handle, encoded] of text.matchAll(found)) {
      const body = Buffer.from(encoded, 'base64').toString();
      const {biz_id, phone_number} = JSON.parse(body);
      handles.push(`<ReceiptHandle>${handle}</ReceiptHandle>`);
      rows.push({biz_id, phone_number, body});
    }
    await keep(rows);
    const gone = await call('DELETE', '', '<?xml version="1.0" encoding="utf-8"?>'
      + `<ReceiptHandles xmlns="http://mns.aliyuncs.com/doc/v1/">${handles.join('')}</ReceiptHandles>`);
    if (gone.status !== 204) throw new Error(`delete: ${gone.status} ${gone.text}`);
  }
}

Promise.all(Array.from({length: Number(loops)}, drain)).then(() => agent.destroy(), (error) => {
  console.error(error);
  process.exit(1);
});
