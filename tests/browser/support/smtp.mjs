// A mail server that answers as a test wants.
import { createServer } from "node:net";

/**
 * @param {Record<string, string>} answers by the first word of a command; `greeting` comes by itself
 */
export async function startSmtp(answers = {}) {
  const replies = {
    greeting: "220 mail.test ESMTP", EHLO: "250-mail.test\r\n250 8BITMIME", MAIL: "250 2.1.0 Ok", RCPT: "250 2.1.5 Ok",
    RSET: "250 2.0.0 Ok", NOOP: "250 2.0.0 Ok", QUIT: "221 2.0.0 Bye", ...answers,
  };
  const commands = [];
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.write(`${replies.greeting}\r\n`);
    socket.setEncoding("latin1");
    socket.on("data", (data) => {
      for (const line of data.split("\r\n").filter(Boolean)) {
        const command = line.split(/[ :]/)[0].toUpperCase();
        commands.push(command);
        socket.write(`${replies[command] ?? "502 5.5.2 Unknown command"}\r\n`);
        if (command === "QUIT") socket.end();
      }
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: server.address().port, commands, replies, stop: () => new Promise((resolve) => server.close(resolve)) };
}
