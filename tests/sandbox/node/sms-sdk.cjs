// @alicloud/sms-sdk, unchanged, against the sandbox whose URL is the argument. Prints the names of the checks that passed.
'use strict';

const assert = require('node:assert');
const SMSClient = require('@alicloud/sms-sdk');

const url = process.argv[2];
const options = {
  accessKeyId: 'sandbox', secretAccessKey: 'sandbox-secret',
  smsApiEndpoint: url, baseApiEndpoint: url, mnsVpc: {endpoint: url},
};
const client = new SMSClient(options);
const PREFIX = 'Alicom-Queue-1000000001-';
const day = new Date(Date.now() + 8 * 3600e3).toISOString().slice(0, 10).replaceAll('-', '');
let bizId;

const decoded = (message) => JSON.parse(Buffer.from(message.body.MessageBody, 'base64').toString());

const checks = {
  async send() {
    const sent = await client.sendSMS({
      PhoneNumbers: '13800000001', SignName: '示例商城', TemplateCode: 'SMS_1', TemplateParam: '{"code":"1234"}', OutId: 'o-1',
    });
    assert.strictEqual(sent.Code, 'OK');
    bizId = sent.BizId;
  },
  async receiveAndDelete() {
    const got = await client.receiveMsg(0, PREFIX, 1, true);
    assert.strictEqual(decoded(got).biz_id, bizId);
    assert.strictEqual(decoded(got).out_id, 'o-1');
  },
  async empty() {
    await assert.rejects(client.receiveMsg(0, PREFIX, 1), {name: 'MNSMessageNotExistError'});
  },
  async details() {
    const found = await client.queryDetail({
      PhoneNumber: '13800000001', SendDate: day, PageSize: '10', CurrentPage: '1', BizId: bizId,
    });
    assert.strictEqual(found.SmsSendDetailDTOs.SmsSendDetailDTO.length, 1);
  },
  async batch() {
    const sent = await client.sendBatchSMS({
      PhoneNumberJson: '["13800000001","13800000002"]', SignNameJson: '["甲","乙"]',
      TemplateCode: 'SMS_2', TemplateParamJson: '[{"a":"1"},{"a":"2"}]',
    });
    assert.strictEqual(sent.Code, 'OK');
  },
  async businessError() {
    await assert.rejects(
      client.sendSMS({PhoneNumbers: '1', SignName: 'a', TemplateCode: 'b'}), {code: 'isv.MOBILE_NUMBER_ILLEGAL'});
  },
  async wrongSecret() {
    const wrong = new SMSClient({...options, secretAccessKey: 'wrong'});
    await assert.rejects(
      wrong.sendSMS({PhoneNumbers: '13800000001', SignName: 'a', TemplateCode: 'b'}), {code: 'SignatureDoesNotMatch'});
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
