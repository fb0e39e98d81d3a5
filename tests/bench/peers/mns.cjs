// @alicloud/mns draining a queue with N loops in batches of 16. It stores nothing.
const path = require("path");
const modules = path.join(__dirname, "..", "..", "sandbox", "node", "node_modules");
const MNS = require(path.join(modules, "@alicloud", "mns"));
const [url, queue, loops] = process.argv.slice(2);
const client = new MNS("1000000001", {
  region: "cn-hangzhou", accessKeyId: "sandbox", accessKeySecret: "sandbox-secret", endpoint: url,
});
async function drain() {
  for (;;) {
    let found;
    try {
      found = (await client.batchReceiveMessage(queue, 16, 1)).body;
    } catch (error) {
      if (error.code === "MessageNotExist" || /MessageNotExist/.test(error.name)) return;
      throw error;
    }
    await client.batchDeleteMessage(queue, found.map((message) => message.ReceiptHandle));
  }
}
Promise.all(Array.from({ length: Number(loops) }, drain)).catch((error) => { console.error(error); process.exit(1); });
