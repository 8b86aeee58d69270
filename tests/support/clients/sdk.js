// As python_sync.py, by @azure/service-bus: node sdk.js CONNECTION_STRING
"use strict";
const readline = require("node:readline");
const Long = require("long");
const { ServiceBusClient } = require("@azure/service-bus");

const receivers = {}, received = {};
let client;

const due = (seconds) => new Date(Date.now() + seconds * 1000);
const message = (item) => ({
  body: item.body, messageId: item.id ?? undefined, sessionId: item.session ?? undefined,
  scheduledEnqueueTimeUtc: item.in_s == null ? undefined : due(item.in_s),
});
const seen = (item) => ({
  body: item.body, id: item.messageId, count: item.deliveryCount, number: item.sequenceNumber.toString(),
  session: item.sessionId ?? null, reason: item.deadLetterReason ?? null, state: item.state,
});
const take = (queue, found) => found.map((item) => {
  received[`${queue} ${item.sequenceNumber}`] = item;
  return seen(item);
});

async function sending(queue, action) {
  const sender = client.createSender(queue);
  try {
    return await action(sender);
  } finally {
    await sender.close();
  }
}

const operations = {
  send: ({ queue, messages, batch }) => sending(queue, async (sender) => {
    if (!batch) return sender.sendMessages(messages.map(message));
    const whole = await sender.createMessageBatch();
    for (const item of messages) whole.tryAddMessage(message(item));
    await sender.sendMessages(whole);
  }),
  schedule: ({ queue, body, in_s }) =>
    sending(queue, async (sender) => (await sender.scheduleMessages({ body }, due(in_s)))[0].toString()),
  cancel: ({ queue, number }) => sending(queue, (sender) => sender.cancelScheduledMessages(Long.fromString(`${number}`))),
  open: async ({ queue, dead_letters, session, delete: remove }) => {
    const options = { receiveMode: remove ? "receiveAndDelete" : "peekLock" };
    if (dead_letters) options.subQueueType = "deadLetter";
    receivers[queue] = session == null
      ? client.createReceiver(queue, options)
      : await client.acceptSession(queue, session, options);
  },
  close: async ({ queue }) => {
    await receivers[queue].close();
    delete receivers[queue];
  },
  receive: async ({ queue, count, wait_s }) =>
    take(queue, await receivers[queue].receiveMessages(count, { maxWaitTimeInMs: wait_s * 1000 })),
  receive_deferred: async ({ queue, number }) =>
    take(queue, await receivers[queue].receiveDeferredMessages(Long.fromString(`${number}`))),
  peek: async ({ queue }) =>
    (await receivers[queue].peekMessages(100, { fromSequenceNumber: Long.ONE })).map(seen),
  settle: ({ queue, number, how }) => {
    const item = received[`${queue} ${number}`], receiver = receivers[queue];
    if (how === "dead_letter") {
      return receiver.deadLetterMessage(item, { deadLetterReason: "why", deadLetterErrorDescription: "because" });
    }
    return receiver[`${how}Message`](item);
  },
  renew: async ({ queue, number }) => {
    await receivers[queue].renewMessageLock(received[`${queue} ${number}`]);
  },
};

async function main() {
  client = new ServiceBusClient(process.argv[2], { retryOptions: { maxRetries: 1, timeoutInMs: 20000 } });
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, given] = JSON.parse(line);
    let answer;
    try {
      answer = { result: (await operations[name](given)) ?? null };
    } catch (error) {
      answer = { error: `${error.code ?? error.name}: ${error.message}` };
    }
    console.log(JSON.stringify(answer));
  }
  await client.close();
}

main();
