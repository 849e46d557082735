import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createProofKey } from '@rhizome/client';
import { AttemptTokenRefused, EnrolmentRefused, renew, tokenOfAttempt } from './enrolment-client.js';

const holder = { key: createProofKey(), certificate: null };

let server: Server;
let url: string;
let answer: { readonly status: number; readonly body: string };

beforeEach(async () => {
  server = createServer((_, response) => response.writeHead(answer.status).end(answer.body));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/graphql`;
});
afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const failureOf = async (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    () => undefined,
    (error: unknown) => error,
  );
const renewed = async (): Promise<unknown> => failureOf(renew(url, holder, 'enr_1', false));
const attemptToken = async (): Promise<unknown> =>
  failureOf(tokenOfAttempt(url, holder, 'token', { jobId: 'job_a', fence: 1 }));

describe('renewal of a credential', () => {
  it.each([
    [404, '<html>no route</html>'],
    [403, '<html>forbidden</html>'],
    [500, '<html>'],
    [200, 'null'],
    [404, '{"status":404,"error":"Not Found"}'],
    [408, '{"error":"invalid_request"}'],
  ])('is not refused by a page with status %i', async (status, body) => {
    answer = { status, body };
    for (const error of [await renewed(), await attemptToken()]) {
      expect(error).toMatchObject({ name: 'Error', message: expect.stringContaining(`status ${status}`) });
    }
  });

  it('is refused by an error of OAuth', async () => {
    answer = { status: 400, body: '{"error":"invalid_grant","error_description":"It has ENDED"}' };
    const refused = await renewed();
    expect(refused).toBeInstanceOf(EnrolmentRefused);
    expect(refused).toMatchObject({ message: expect.stringContaining('It has ENDED') });
    expect(await attemptToken()).toBeInstanceOf(AttemptTokenRefused);
  });
});
