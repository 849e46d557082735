import { describe, expect, it } from '@jest/globals';
import type { FileRequest, FileResponse } from './http-client.js';
import { sendFollowing } from './redirects.js';

/** Sends a request with a token to a server that redirects it, and returns what each server received. */
async function received(locations: readonly string[], trusted: readonly string[] = []) {
  const requests: string[] = [];
  const rest = [...locations];
  const send = async ({ url, headers }: FileRequest): Promise<FileResponse> => {
    requests.push(`${url} ${headers?.['Authorization'] ?? 'nothing'}`);
    const location = rest.shift();
    const body = { on: () => body, destroy: () => body, resume: () => body };
    return { status: location ? 307 : 200, headers: { location }, body: body as never };
  };
  const request = { method: 'GET', url: 'https://door.test/a', headers: { Authorization: 'token' } };
  await sendFollowing(request, { send, trustedOrigins: new Set(trusted) });
  return requests;
}

describe('sendFollowing', () => {
  it('sends the token within the origin and to origins that are trusted, and to no other', async () => {
    expect(await received(['/b', 'https://pool.test/c'])).toEqual([
      'https://door.test/a token',
      'https://door.test/b token',
      'https://pool.test/c nothing',
    ]);
    expect(await received(['https://pool.test/c'], ['https://pool.test'])).toEqual([
      'https://door.test/a token',
      'https://pool.test/c token',
    ]);
  });

  it.each(['http://pool.test/', 'https://169.254.169.254/', 'https://localhost/', 'ftp://door.test/'])(
    'refuses a redirect to %s',
    async (location) => {
      await expect(received([location])).rejects.toThrow();
    },
  );

  it('gives up after five redirects', async () => {
    await expect(received(['/b', '/c', '/d', '/e', '/f', '/g'])).rejects.toThrow('more than 5 times');
  });
});
