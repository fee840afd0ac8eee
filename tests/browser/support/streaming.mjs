// The service behind a proxy that tells the stages of a check as server-sent events, one at a time: a test lets
// each of them go, and sees what the page shows in between.
import { createServer, request } from "node:http";

export async function startStreaming(origin) {
  const target = new URL(origin);
  const streams = [];
  const waiting = [];
  const server = createServer((incoming, outgoing) => {
    const streamed = incoming.headers.accept?.includes("text/event-stream");
    const forward = request({
      host: target.hostname, port: target.port, path: incoming.url, method: incoming.method,
      headers: { ...incoming.headers, host: target.host, ...(streamed ? { accept: "application/json" } : {}) },
    }, (answer) => {
      if (!streamed || ![200, 204, 400].includes(answer.statusCode)) {
        outgoing.writeHead(answer.statusCode, answer.headers);
        answer.pipe(outgoing);
        return;
      }
      const chunks = [];
      answer.on("data", (chunk) => chunks.push(chunk));
      answer.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        const body = text ? JSON.parse(text) : { etag: answer.headers.etag };
        const status = answer.statusCode;
        const whole = incoming.method === "PUT" || status === 400 ? { status, ...body } : body;
        outgoing.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
        // A comment keeps the connection open, as proxies like it.
        outgoing.write(": a check\n\n");
        const stream = {
          stage: (stage, state, elapsedMs) =>
            outgoing.write(`event: stage\r\ndata: ${JSON.stringify({ stage, state, elapsedMs })}\r\n\r\n`),
          finish: () => outgoing.end(`event: ${status === 400 ? "error" : "result"}\ndata: ${JSON.stringify(whole)}\n\n`),
          tear: () => outgoing.destroy(),
        };
        const next = waiting.shift();
        if (next) next(stream);
        else streams.push(stream);
      });
    });
    forward.on("error", () => outgoing.destroy());
    incoming.pipe(forward);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    console: `http://127.0.0.1:${server.address().port}/console/`,
    /** The next check that streams. */
    next: () => {
      const stream = streams.shift();
      return stream ? Promise.resolve(stream) : new Promise((resolve) => waiting.push(resolve));
    },
    stop: () => new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    }),
  };
}
