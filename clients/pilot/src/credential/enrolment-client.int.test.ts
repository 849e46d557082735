import { describe, expect, it } from '@jest/globals';
import { createProofKey } from '@rhizome/client';
import { answeringServer } from '../testing/answering-server.js';
import { AttemptTokenRefused, EnrolmentRefused, renew, tokenOfAttempt } from './enrolment-client.js';

const holder = { key: createProofKey(), certificate: null };
const server = answeringServer();

const failureOf = async (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    () => undefined,
    (error: unknown) => error,
  );
const renewed = async (): Promise<unknown> => failureOf(renew(server.url, holder, 'enr_1', false));
const attemptToken = async (): Promise<unknown> =>
  failureOf(tokenOfAttempt(server.url, holder, 'token', { jobId: 'job_a', fence: 1 }));

describe('renewal of a credential', () => {
  it.each([
    [404, '<html>no route</html>'],
    [403, '<html>forbidden</html>'],
    [500, '<html>'],
    [200, 'null'],
    [404, '{"status":404,"error":"Not Found"}'],
    [408, '{"error":"invalid_request"}'],
  ])('is not refused by a page with status %i', async (status, body) => {
    server.answer = { status, body };
    for (const error of [await renewed(), await attemptToken()]) {
      expect(error).toMatchObject({ name: 'Error', message: expect.stringContaining(`status ${status}`) });
    }
  });

  it('is refused by an error of OAuth', async () => {
    server.answer = { status: 400, body: '{"error":"invalid_grant","error_description":"It has ENDED"}' };
    const refused = await renewed();
    expect(refused).toBeInstanceOf(EnrolmentRefused);
    expect(refused).toMatchObject({ message: expect.stringContaining('It has ENDED') });
    expect(await attemptToken()).toBeInstanceOf(AttemptTokenRefused);
  });
});
