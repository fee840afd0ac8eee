// Takes mail with Fastify into a queue of BullMQ, and sends it with nodemailer, one pool of connections for each account.
import { randomUUID } from "node:crypto";
import { Queue, Worker } from "bullmq";
import Redis from "ioredis";
import nodemailer from "nodemailer";
import { settings } from "./answer.mjs";
import { serve } from "./emails.mjs";

// Its database is the port of Redis.
const connect = () => new Redis({ host: "127.0.0.1", port: Number(settings.database), maxRetriesPerRequest: null });
const queue = new Queue("emails", { connection: connect() });
const transports = new Map();

function transportOf(tenant) {
  let transport = transports.get(tenant);
  if (!transport) {
    transport = nodemailer.createTransport({
      host: "127.0.0.1",
      port: Number(process.env.PEER_SINK_PORT),
      ignoreTLS: true,
      pool: true,
      maxConnections: 10,
      maxMessages: 100,
    });
    transports.set(tenant, transport);
  }
  return transport;
}

const send = (job) => transportOf(job.data.tenant).sendMail(job.data.mail);
new Worker("emails", send, { connection: connect(), concurrency: 256 });

await serve(async (tenant, request) => {
  const mail = { from: "billing@example.com", to: request.to, subject: request.subject, html: request.html };
  const options = { jobId: randomUUID(), attempts: 5, removeOnComplete: true };
  const job = await queue.add("email", { tenant, mail }, options);
  return job.id;
});
