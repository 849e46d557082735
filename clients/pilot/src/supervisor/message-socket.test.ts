import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { MessageSocket } from './message-socket.js';

interface Message {
  readonly text: string;
}

let server: Server;
let near: Socket;
let far: Socket;
let received: Message[];
let reader: MessageSocket<Message, Message>;

beforeEach(async () => {
  received = [];
  server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connected = once(server, 'connection');
  near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  [far] = (await connected) as [Socket];
  reader = new MessageSocket(far, (message) => received.push(message));
});
afterEach(() => {
  for (const socket of [near, far]) socket.destroy();
  server.close();
});

/** Sends bytes, and waits for the end of the connection. */
async function sendAll(...parts: readonly (string | Buffer)[]): Promise<void> {
  for (const part of parts) {
    const isWritten = new Promise((resolve) => near.write(part, resolve));
    await isWritten;
  }
  near.end();
  await reader.closed;
}

describe('MessageSocket', () => {
  it('delivers messages with separators of lines and paragraphs in their texts', async () => {
    const texts = ['a\u2028b', 'c\u2029d', 'e\r\nf', 'g\u0085h'];
    const sender = new MessageSocket<Message, Message>(near, () => undefined);
    for (const text of texts) sender.send({ text });
    sender.end();
    await reader.closed;
    expect(received.map(({ text }) => text)).toEqual(texts);
  });

  it('joins a message that arrives in parts, also within a character', async () => {
    const bytes = Buffer.from('{"text":"first"}\n{"text":"\u00fc\u2028"}\n{"text":"cut');
    const within = bytes.indexOf(0xc3) + 1;
    await sendAll(bytes.subarray(0, 5), bytes.subarray(5, within), bytes.subarray(within));
    expect(received).toEqual([{ text: 'first' }, { text: '\u00fc\u2028' }]);
  });

  it('ends the connection at a line that is no message, and reads no further', async () => {
    await sendAll('{"text":"one"}\nnone\n{"text":"two"}\n');
    expect(received).toEqual([{ text: 'one' }]);
    expect(reader.isClosed).toBe(true);
  });
});
