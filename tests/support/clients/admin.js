// What @azure/service-bus sees of a queue that it makes, changes and deletes: node admin.js CONNECTION_STRING
"use strict";
const { ServiceBusAdministrationClient } = require("@azure/service-bus");

async function main() {
  const admin = new ServiceBusAdministrationClient(process.argv[2]);
  const queue = await admin.createQueue("made", { maxDeliveryCount: 3, lockDuration: "PT30S" });
  const seen = { made: [queue.name, queue.maxDeliveryCount, queue.lockDuration], listed: [] };
  for await (const found of admin.listQueues()) seen.listed.push(found.name);
  seen.count = (await admin.getQueueRuntimeProperties("made")).totalMessageCount;
  queue.maxDeliveryCount = 5;
  seen.changed = (await admin.updateQueue(queue)).maxDeliveryCount;
  await admin.deleteQueue("made");
  seen.exists = await admin.queueExists("made");
  console.log(JSON.stringify(seen));
}

main();
