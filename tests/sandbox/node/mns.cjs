// @alicloud/mns, unchanged, against the sandbox whose URL is the argument. Prints the names of the checks that passed.
'use strict';

const assert = require('node:assert');
const MNS = require('@alicloud/mns');

const QUEUE = 'Alicom-Queue-1000000001-SmsReport';
const client = new MNS('1000000001', {
  accessKeyId: 'sandbox', accessKeySecret: 'sandbox-secret', endpoint: process.argv[2],
});

const checks = {
  async send() {
    const sent = await client.sendMessage(QUEUE, {MessageBody: '回执', Priority: 8});
    assert.strictEqual(sent.code, 201);
    assert.match(sent.body.MessageBodyMD5, /^[0-9A-F]{32}$/);
  },
  async receive() {
    const got = await client.receiveMessage(QUEUE, 1);
    assert.strictEqual(got.body.MessageBody, '回执');
    checks.handle = got.body.ReceiptHandle;
  },
  async changeVisibility() {
    const changed = await client.changeMessageVisibility(QUEUE, checks.handle, 60);
    assert.notStrictEqual(changed.body.ReceiptHandle, checks.handle);
    checks.old = checks.handle;
    checks.handle = changed.body.ReceiptHandle;
  },
  async oldHandleIsDead() {
    await assert.rejects(client.deleteMessage(QUEUE, checks.old), {name: 'MNSMessageNotExistError'});
  },
  async remove() {
    assert.strictEqual((await client.deleteMessage(QUEUE, checks.handle)).code, 204);
  },
  async empty() {
    await assert.rejects(client.receiveMessage(QUEUE), {name: 'MNSMessageNotExistError'});
  },
  async batchSend() {
    const sent = await client.batchSendMessage(QUEUE, [{MessageBody: 'a'}, {MessageBody: 'b'}, {MessageBody: 'c'}]);
    assert.strictEqual(sent.body.length, 3);
  },
  async peek() {
    assert.strictEqual((await client.batchPeekMessage(QUEUE, 16)).body.length, 3);
  },
  async batchReceive() {
    const got = await client.batchReceiveMessage(QUEUE, 16, 1);
    checks.handles = got.body.map((message) => message.ReceiptHandle);
    assert.deepStrictEqual(got.body.map((message) => message.MessageBody), ['a', 'b', 'c']);
  },
  async partialBatchDelete() {
    const done = await client.batchDeleteMessage(QUEUE, [...checks.handles, 'nonsense']);
    assert.strictEqual(done.code, 404);
    assert.deepStrictEqual(done.body.map((error) => error.ErrorCode), ['ReceiptHandleError']);
  },
  async attributes() {
    const before = await client.getQueueAttributes(QUEUE);
    assert.strictEqual(before.body.VisibilityTimeout, '30');
    await client.setQueueAttributes(QUEUE, {VisibilityTimeout: 40});
    assert.strictEqual((await client.getQueueAttributes(QUEUE)).body.VisibilityTimeout, '40');
  },
  async createListDelete() {
    assert.strictEqual((await client.createQueue('node-queue')).code, 201);
    const listed = await client.listQueue('', 1000, 'node-');
    assert.deepStrictEqual(listed.body.map((queue) => queue.QueueURL), [`${process.argv[2]}/queues/node-queue`]);
    assert.strictEqual((await client.deleteQueue('node-queue')).code, 204);
  },
  async wrongSecret() {
    const wrong = new MNS('1', {accessKeyId: 'sandbox', accessKeySecret: 'wrong', endpoint: process.argv[2]});
    await assert.rejects(wrong.receiveMessage(QUEUE), {name: 'MNSSignatureDoesNotMatchError'});
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
