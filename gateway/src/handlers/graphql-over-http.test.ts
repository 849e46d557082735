import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { serverAudits } from 'graphql-http';
import { type TestSystem, startTestSystem } from '../testing/test-system.js';

/** The suite must be known before anything starts. */
let url = '';
let headers: Record<string, string> = {};
let system: TestSystem;
let open: TestSystem;

beforeAll(async () => {
  system = await startTestSystem();
  open = await startTestSystem({ noAuth: true });
});

afterAll(async () => {
  await Promise.all([system.served.close(), open.served.close()]);
});

const fetchFn = (input: string | URL, init: RequestInit = {}): Promise<Response> =>
  fetch(String(input).replace('http://gateway.test/graphql', url), {
    ...init,
    headers: { ...(init.headers as Record<string, string>), ...headers },
  });

const audits = serverAudits({ url: 'http://gateway.test/graphql', fetchFn });

it('includes the known cases', () => {
  expect(audits).toHaveLength(61);
});

describe.each(['with tokens', 'without authentication'])('GraphQL over HTTP, %s', (which) => {
  beforeAll(async () => {
    const chosen = which === 'with tokens' ? system : open;
    url = chosen.served.url;
    headers = which === 'with tokens' ? await chosen.bearer() : {};
  });

  it.each(audits.map(({ name, id, fn }) => [`${id} ${name}`, fn] as const))(
    'passes %s',
    async (_name, fn) => {
      const result = await fn();
      if (result.status !== 'ok') throw new Error(`${result.status}: ${result.reason}`);
    },
  );
});
