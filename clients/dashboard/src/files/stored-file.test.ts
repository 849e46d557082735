import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readStored } from './stored-file.js';

// A storage that does not expose Content-Range to pages.
const server = createServer((_request, response) => {
  response.end('ten bytes.');
});

beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
});

describe('readStored', () => {
  const read = (sizeBytes: number, mostBytes: number) =>
    readStored(
      { name: 'a', sizeBytes, sha256: '' },
      {
        addressOf: () => Promise.resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}/a`),
        mostBytes,
        signal: new AbortController().signal,
      },
    );

  it('reads the beginning of a larger file', async () => {
    expect(await read(10, 3)).toMatchObject({ bytes: { length: 3 }, isWhole: false, isVerified: false });
  });

  it.each([
    [1000, 100, 'The file has 10 bytes; the job stored 1000'],
    [11, 100, 'The file has 10 bytes; the job stored 11'],
    [9, 100, 'The file has more bytes; the job stored 9'],
  ])('refuses a file that is not of the %i bytes of its record', async (sizeBytes, mostBytes, message) => {
    await expect(read(sizeBytes, mostBytes)).rejects.toThrow(message);
  });
});
