import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { describe, expect, it } from '@jest/globals';
import type { FileRequest, FileResponse } from './http-client.js';
import { sendFollowing } from './redirects.js';

const headers = {
  Authorization: 'Bearer secret',
  TransferHeaderAuthorization: 'Bearer other',
  Range: 'bytes=0-1',
};

/** Follows redirects of `https://head.test/a`; returns the requests. */
async function follow(
  locations: readonly string[],
  trusted: readonly string[] = [],
): Promise<readonly FileRequest[]> {
  const requests: FileRequest[] = [];
  const send = async (request: FileRequest): Promise<FileResponse> => {
    const location = locations[requests.length];
    requests.push(request);
    const body = Readable.from([]) as IncomingMessage;
    return location === undefined
      ? { status: 200, headers: {}, body }
      : { status: 307, headers: { location }, body };
  };
  await sendFollowing(
    { method: 'GET', url: 'https://head.test/a', headers },
    { send, trustedOrigins: new Set(trusted) },
  );
  return requests;
}

describe('sendFollowing', () => {
  it('sends no credential to another origin, and the other headers everywhere', async () => {
    const requests = await follow(['https://data.test/a?ticket=1']);
    expect(requests[1]).toMatchObject({
      url: 'https://data.test/a?ticket=1',
      headers: { Range: 'bytes=0-1' },
    });
    expect(Object.keys(requests[1]?.headers ?? {})).toEqual(['Range']);
  });

  it('sends the credential within the origin, and to trusted origins', async () => {
    const requests = await follow(['/b', 'https://data.test/a'], ['https://data.test']);
    expect(requests.map(({ url }) => url)).toEqual([
      'https://head.test/a',
      'https://head.test/b',
      'https://data.test/a',
    ]);
    expect(requests.map((request) => request.headers)).toEqual([headers, headers, headers]);
  });

  it('sends the credential again after a way back to the first origin only', async () => {
    const requests = await follow(['https://data.test/a', 'https://other.test/a', 'https://head.test/c']);
    expect(requests.map((request) => 'Authorization' in (request.headers ?? {}))).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  it.each([
    'http://head.test/a',
    'https://localhost/a',
    'https://127.0.0.1/a',
    'https://[::1]/a',
    'https://169.254.169.254/a',
  ])('refuses a redirect to %s', async (location) => {
    await expect(follow([location])).rejects.toMatchObject({ kind: 'INVALID' });
  });

  it('gives up after five redirects', async () => {
    await expect(follow(['/b', '/c', '/d', '/e', '/f', '/g'])).rejects.toThrow('more than 5 times');
  });
});
