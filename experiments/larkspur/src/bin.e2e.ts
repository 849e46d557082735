import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from '@jest/globals';
import {
  leftovers,
  spawnProcess,
  testDatabase,
  testMongo,
  type TestTokens,
  testTokens,
} from '@rhizome/testkit';

const program = fileURLToPath(new URL('./bin.js', import.meta.url));
let env: Record<string, string>;
let tokens: TestTokens;

beforeAll(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'rhizome-larkspur-'));
  leftovers.defer('the files of the process', () => rm(folder, { recursive: true, force: true }));
  tokens = await testTokens();
  await writeFile(join(folder, 'jwks.json'), JSON.stringify(tokens.calls.jwks()));
  await writeFile(join(folder, 'token'), await tokens.service('larkspur'));
  env = {
    RHIZOME_LARKSPUR_MONGO_URI: (await testMongo()).uri,
    RHIZOME_LARKSPUR_DATABASE: (await testDatabase('larkspur')).databaseName,
    RHIZOME_LARKSPUR_PORT: '0',
    // Nobody is there: questions are answered all the same.
    RHIZOME_LARKSPUR_GATEWAY_URL: 'http://127.0.0.1:9/graphql',
    RHIZOME_LARKSPUR_TOKEN_FILE: join(folder, 'token'),
    RHIZOME_LARKSPUR_GATEWAY_KEYS_JWKS_FILE: join(folder, 'jwks.json'),
  };
});

describe('process of an experiment', () => {
  it('serves without core, logs that it is ready, and drains on SIGTERM', async () => {
    const running = spawnProcess({ name: 'larkspur', command: 'node', args: [program], env });
    const [, address] = await running.line(/"url":"http:\/\/([^/"]+)/, 60_000);
    const ready = await fetch(`http://${address}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([
      200,
      { ready: true, checks: { mongo: 'reached', work: 'started', events: 'not followed' } },
    ]);
    const answer = await fetch(`http://${address}/graphql`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${await tokens.call('larkspur', tokens.reader('larkspur'))}`,
      },
      body: JSON.stringify({ query: '{ larkspur { observations { nodes { id } } } }' }),
    });
    expect(await answer.json()).toEqual({ data: { larkspur: { observations: { nodes: [] } } } });
    expect(await running.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });

  it('reports all configuration errors and exits with 1', async () => {
    const { RHIZOME_LARKSPUR_MONGO_URI: _uri, ...incomplete } = env;
    const failing = spawnProcess({
      name: 'larkspur',
      command: 'node',
      args: [program],
      env: { ...incomplete, RHIZOME_LARKSPUR_PORT: 'x' },
    });
    expect(await failing.exited).toEqual({ code: 1, signal: null });
    const output = failing.stderr.join('\n');
    expect(output).toContain('RHIZOME_LARKSPUR_MONGO_URI');
    expect(output).toContain('RHIZOME_LARKSPUR_PORT');
  });

  it('reports a port in use and exits with 1', async () => {
    const first = spawnProcess({ name: 'first', command: 'node', args: [program], env });
    const [, port] = await first.line(/"url":"http:[^"]+:(\d+)/, 60_000);
    const second = spawnProcess({
      name: 'second',
      command: 'node',
      args: [program],
      env: { ...env, RHIZOME_LARKSPUR_PORT: port ?? '' },
    });
    expect(await second.exited).toEqual({ code: 1, signal: null });
    expect(second.stderr.join('\n')).toContain(`Port ${port} of 127.0.0.1 is in use`);
    expect(await first.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  });
});
