// Parses server-sent events while a response arrives (EventSource can send neither a token nor POST).

/**
 * One stage of a check, from the service.
 *
 * @typedef {object} StageEvent
 * @property {string} stage
 * @property {"started" | "done" | "failed"} state
 * @property {number} [elapsedMs]
 * @property {string} [detail]
 *
 * @typedef {{ name: string, data: string }} ServerSentEvent
 */

/**
 * @param {ReadableStream<Uint8Array>} stream
 * @returns {AsyncGenerator<ServerSentEvent>}
 */
export async function* readEvents(stream) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const blocks = rest.replaceAll("\r\n", "\n").split("\n\n");
      // The last line may be incomplete; a CR at the end may be half of a line end.
      rest = blocks.pop() ?? "";
      for (const block of blocks) {
        const event = parseEvent(block);
        if (event) yield event;
      }
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * @param {string} block the lines of one event
 * @returns {ServerSentEvent | null} nothing for a comment alone
 */
export function parseEvent(block) {
  let name = "message";
  const data = [];
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "event") name = value;
    if (field === "data") data.push(value);
  }
  return data.length > 0 ? { name, data: data.join("\n") } : null;
}
