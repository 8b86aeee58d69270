// As python_sync.py, by rhea: AMQP 1.0 without a Service Bus SDK, so without what only $management does.
// node rhea.js CONNECTION_STRING
"use strict";
const readline = require("node:readline");
const rhea = require("rhea");

const container = rhea.create_container();
const receivers = {}, received = {};
let connection;

const once = (emitter, good, bad) => new Promise((resolve, reject) => {
  emitter.once(good, resolve);
  for (const event of bad) emitter.once(event, (context) => {
    const error = context[event.split("_")[0]]?.error;
    reject(new Error(error ? `${error.condition}: ${error.description}` : event));
  });
});

const number = (delivery) => {
  const raw = delivery.message.message_annotations["x-opt-sequence-number"];
  return Number(raw);
};
const seen = ({ message: found }) => ({
  body: String(found.body?.content ?? found.body), id: found.message_id, count: found.delivery_count ?? 0,
  number: Number(found.message_annotations["x-opt-sequence-number"]), session: found.group_id ?? null,
  reason: found.application_properties?.DeadLetterReason ?? null, state: "active",
});

const operations = {
  send: async ({ queue, messages }) => {
    const sender = connection.open_sender(queue);
    await once(sender, "sendable", ["sender_error"]);
    for (const item of messages) {
      const annotations = item.in_s == null
        ? {} : { "x-opt-scheduled-enqueue-time": rhea.types.wrap_timestamp(Date.now() + item.in_s * 1000) };
      sender.send({
        body: rhea.message.data_section(Buffer.from(item.body)), message_id: item.id ?? undefined,
        message_annotations: annotations,
      });
      await once(sender, "accepted", ["rejected"]);
    }
    sender.close();
  },
  open: async ({ queue, dead_letters, delete: remove }) => {
    const receiver = connection.open_receiver({
      source: queue + (dead_letters ? "/$DeadLetterQueue" : ""), credit_window: 0, autoaccept: false,
      snd_settle_mode: remove ? 1 : 0,
    });
    receiver.waiting = [];
    receiver.on("message", (context) => receiver.waiting.push(context));
    // A refused link is attached without a source, and detached with the reason at once.
    const refused = once(receiver, "never", ["receiver_error"]);
    refused.catch(() => {});
    await once(receiver, "receiver_open", ["receiver_error"]);
    if (!receiver.source?.address) await refused;
    receivers[queue] = receiver;
  },
  close: async ({ queue }) => {
    receivers[queue].close();
    await once(receivers[queue], "receiver_close", []);
  },
  receive: async ({ queue, count, wait_s }) => {
    const receiver = receivers[queue];
    receiver.add_credit(count);
    const ends = Date.now() + wait_s * 1000;
    while (receiver.waiting.length < count && Date.now() < ends) await new Promise((done) => setTimeout(done, 10));
    if (receiver.waiting.length < count) {
      receiver.drain_credit();
      await once(receiver, "receiver_drained", []);
    }
    return receiver.waiting.splice(0).map((context) => {
      received[`${queue} ${number(context)}`] = context.delivery;
      return seen(context);
    });
  },
  settle: async ({ queue, number: wanted, how }) => {
    const delivery = received[`${queue} ${wanted}`];
    switch (how) {
      case "complete": delivery.update(false, rhea.message.accepted().described()); break;
      case "abandon": delivery.update(false, rhea.message.modified({ delivery_failed: true }).described()); break;
      default: delivery.update(false, rhea.message.rejected({ error: {
        condition: "com.microsoft:dead-letter", info: { DeadLetterReason: "why", DeadLetterErrorDescription: "because" },
      } }).described());
    }
    await once(receivers[queue], "settled", []);
    const state = delivery.remote_state;
    if (state?.constructor?.composite_type === "rejected" && how !== "dead_letter") throw new Error(state.error.condition);
  },
};

async function main() {
  const [, host, port] = /sb:\/\/([^:;]+):(\d+)/.exec(process.argv[2]);
  connection = container.connect({ host, port: Number(port), username: "anonymous", reconnect: false });
  await once(connection, "connection_open", ["connection_error"]);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, given] = JSON.parse(line);
    let answer;
    try {
      answer = { result: (await operations[name](given)) ?? null };
    } catch (error) {
      answer = { error: error.message };
    }
    console.log(JSON.stringify(answer));
  }
  connection.close();
}

main();
