// A mail server that answers as a test wants.
import { createServer } from "node:net";

/**
 * @param {Record<string, string>} answers by the first word of a command; `greeting` comes by itself, `message` after the
 *   mail. `close` instead of a reply ends the connection
 */
export async function startSmtp(answers = {}) {
  const replies = {
    greeting: "220 mail.test ESMTP", EHLO: "250-mail.test\r\n250 8BITMIME", MAIL: "250 2.1.0 Ok", RCPT: "250 2.1.5 Ok",
    RSET: "250 2.0.0 Ok", NOOP: "250 2.0.0 Ok", QUIT: "221 2.0.0 Bye", AUTH: "235 2.7.0 Ok", DATA: "354 Go on",
    message: "250 2.0.0 Taken", ...answers,
  };
  const smtp = { commands: [], replies, connections: 0, held: Promise.resolve() };
  const sockets = new Set();
  const server = createServer((socket) => {
    smtp.connections += 1;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    let message = null;
    let answered = Promise.resolve();
    const answer = (reply, end = false) => {
      answered = answered.then(async () => {
        await smtp.held;
        if (reply === "close") socket.destroy();
        else if (!socket.destroyed) socket.write(`${reply}\r\n`, () => end && socket.end());
      });
    };
    socket.on("error", () => {});
    answer(replies.greeting);
    socket.setEncoding("latin1");
    socket.on("data", (data) => {
      if (message !== null) {
        message += data;
        if (!message.endsWith("\r\n.\r\n")) return;
        message = null;
        return answer(replies.message);
      }
      for (const line of data.split("\r\n").filter(Boolean)) {
        const command = line.split(/[ :]/)[0].toUpperCase();
        smtp.commands.push(command);
        if (command === "DATA" && replies.DATA.startsWith("354")) message = "";
        answer(replies[command] ?? "502 5.5.2 Unknown command", command === "QUIT");
      }
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return Object.assign(smtp, {
    port,

    /** From now on replies wait for the returned function to be called. */
    hold() {
      const { promise, resolve } = withResolvers();
      smtp.held = promise;
      return resolve;
    },

    stop: () => new Promise((resolve) => {
      server.close(resolve);
      for (const socket of sockets) socket.destroy();
    }),
  });
}

function withResolvers() {
  let resolve;
  const promise = new Promise((settle) => { resolve = settle; });
  return { promise, resolve };
}
