// @alicloud/dyplsapi-2017-05-25, unchanged, against the sandbox whose URL is the first argument. The others: the pool, the id
// and the Beijing time of a call with a recording. Prints the names of the checks that passed.
'use strict';

const assert = require('node:assert');
const Client = require('@alicloud/dyplsapi-2017-05-25');

const [endpoint, PoolKey, CallId, CallTime] = process.argv.slice(2);
const key = {accessKeyId: 'sandbox', accessKeySecret: 'sandbox-secret', endpoint};
const client = new Client(key);
let link;

const checks = {
  async link() {
    const found = await client.queryRecordFileDownloadUrl({PoolKey, CallId, CallTime});
    assert.strictEqual(found.Code, 'OK');
    link = found.DownloadUrl;
  },
  async linkByPost() {
    const found = await client.queryRecordFileDownloadUrl({PoolKey, CallId, CallTime}, {method: 'POST'});
    assert.strictEqual(found.Code, 'OK');
  },
  async file() {
    const got = await fetch(link);
    assert.strictEqual(got.status, 200);
    assert.match(await got.text(), /^ID3/);
  },
  async rest() {
    const got = await fetch(link, {headers: {Range: 'bytes=3-'}});
    assert.strictEqual(got.status, 206);
    assert.match(got.headers.get('content-range'), /^bytes 3-/);
  },
  async changedLink() {
    assert.strictEqual((await fetch(link.replace('Signature=', 'Signature=x'))).status, 403);
  },
  async otherCall() {
    await assert.rejects(
      client.queryRecordFileDownloadUrl({PoolKey, CallId: 'other', CallTime}), {code: 'isv.ILLEGAL_ARGUMENT'});
  },
  async withoutTime() {
    await assert.rejects(client.queryRecordFileDownloadUrl({PoolKey, CallId}), {code: 'MissingCallTime'});
  },
  async wrongSecret() {
    const wrong = new Client({...key, accessKeySecret: 'wrong'});
    await assert.rejects(
      wrong.queryRecordFileDownloadUrl({PoolKey, CallId, CallTime}), {code: 'SignatureDoesNotMatch'});
  },
};

(async () => {
  const passed = [];
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
    } catch (error) {
      error.message = `${name}: ${error.message}`;
      throw error;
    }
    passed.push(name);
  }
  console.log(JSON.stringify(passed));
  process.exit(0);
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
