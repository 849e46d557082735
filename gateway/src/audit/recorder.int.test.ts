import { createHash } from 'node:crypto';
import { beforeEach, describe, expect, it } from '@jest/globals';
import { ownMongod, pauseProcess, SyslogServer, waitFor } from '@rhizome/testkit';
import { codesOf, post } from '../testing/post.js';
import { type AuditTestSystem, startAuditSystem } from '../testing/audit-system.js';

const touch = 'mutation ($id: ID!) { touchItem(id: $id) { id } }';
let system: AuditTestSystem;

beforeEach(async () => {
  system = await startAuditSystem();
});

const send = async (token: string | undefined, query: string, variables?: Record<string, unknown>) =>
  post(system.served.url, query, token === undefined ? {} : { authorization: `Bearer ${token}` }, variables);

describe('a mutation', () => {
  it('leaves one entry with caller, object, request and outcome, without values', async () => {
    const token = await system.tokens.human('ada@example', { optics: 'USER' });
    const headers = {
      authorization: `Bearer ${token}`,
      'x-request-id': 'request-7',
      'graphql-client-name': 'notebook',
      'graphql-client-version': '2.1',
    };
    await post(system.served.url, touch, headers, { id: 'item-1' });
    const [entry, ...others] = await system.entries(1);
    expect(others).toEqual([]);
    expect(entry).toMatchObject({
      kind: 'MUTATION',
      action: 'Mutation.touchItem',
      actor: { kind: 'HUMAN', subject: 'ada@example', human: 'ada@example', issuer: 'https://issuer.test' },
      experiment: 'optics',
      targets: { count: 1, ids: ['item-1'], fields: ['id'] },
      requestId: 'request-7',
      client: { name: 'notebook', version: '2.1', address: '127.0.0.1' },
      outcome: { result: 'SUCCEEDED', codes: [] },
    });
    // The digest is keyed: guessing the argument does not confirm it.
    const guess = createHash('sha256').update('{"id":"item-1"}').digest('base64url');
    expect(entry?.targets.digest).not.toBe(guess);
    expect(entry?.targets.digest).toMatch(/^[\w-]{43}$/);
  });

  it('leaves one entry for each root field that runs, under one request', async () => {
    const query = `mutation ($off: Boolean!) {
      a: touchItem(id: "a") { id } ...more c: touchItem(id: "c") @include(if: $off) { id } __typename }
      fragment more on Mutation { b: touchItem(id: "b") { id } }`;
    await send(await system.tokens.admin(), query, { off: false });
    const entries = await system.entries(2);
    expect(entries.map(({ targets }) => targets.ids)).toEqual([['a'], ['b']]);
    expect(new Set(entries.map(({ requestId }) => requestId)).size).toBe(1);
  });

  it('names the human behind an agent, and so do reads of the agent', async () => {
    const agent = await system.tokens.agent('ada@example', 'ADMIN');
    await send(agent, touch, { id: 'x' });
    await send(agent, '{ items { id } whoAmI }');
    const entries = await system.entries(3);
    expect(entries.map(({ kind, action }) => `${kind} ${action}`)).toEqual([
      'MUTATION Mutation.touchItem',
      'AGENT_CALL Query.items',
      'AGENT_CALL Query.whoAmI',
    ]);
    expect(entries.map(({ actor }) => actor?.human)).toEqual(['ada@example', 'ada@example', 'ada@example']);
  });

  it('does not run if its intent cannot be stored, while calls of workers go on', async () => {
    const store = await ownMongod();
    const cut = await startAuditSystem({ mongoUri: store.uri, waitMs: 300 });
    const admin = await cut.tokens.admin();
    const pilot = await cut.tokens.pilot('grid');
    const resume = await pauseProcess(store.members[0]?.pid ?? 0);
    const refused = await post(cut.served.url, touch, { authorization: `Bearer ${admin}` }, { id: 'human' });
    expect([refused.status, ...codesOf(refused)]).toEqual([503, 'SERVICE_UNAVAILABLE']);
    expect(cut.log.length).toBe(0);
    const report = await post(cut.served.url, touch, { authorization: `Bearer ${pilot}` }, { id: 'worker' });
    expect([report.status, report.body.errors]).toEqual([200, undefined]);
    expect(cut.log.length).toBe(1);
    resume();
    const entries = await cut.entries(2);
    expect(entries.map(({ actor, outcome }) => `${actor?.kind} ${outcome?.result}`)).toEqual([
      'HUMAN REFUSED',
      'PILOT SUCCEEDED',
    ]);
  });
});

describe('a read of a human', () => {
  it('leaves no entry', async () => {
    await send(await system.tokens.admin(), '{ items { id } }');
    await send(await system.tokens.admin(), touch, { id: 'last' });
    expect((await system.entries(1)).map(({ action }) => action)).toEqual(['Mutation.touchItem']);
  });
});

describe('a refusal', () => {
  it('is recorded when the caller has no token or an expired one', async () => {
    await send(undefined, '{ items { id } }');
    await send(await system.tokens.expired(), touch, { id: 'x' });
    const entries = await system.entries(2);
    expect(entries.map(({ kind, actor, outcome }) => [kind, actor, outcome?.codes[0]])).toEqual([
      ['REFUSAL', null, 'UNAUTHENTICATED'],
      ['REFUSAL', null, 'TOKEN_EXPIRED'],
    ]);
  });

  it('is counted instead of stored again when it repeats', async () => {
    for (let turn = 0; turn < 50; turn++) await send(undefined, '{ items { id } }');
    await send(await system.tokens.admin(), touch, { id: 'last' });
    expect((await system.entries(2)).map(({ kind }) => kind)).toEqual(['REFUSAL', 'MUTATION']);
    await system.served.close(0);
    const entries = await system.entries(3);
    expect(entries.map(({ kind, repeats }) => [kind, repeats])).toEqual([
      ['REFUSAL', 1],
      ['MUTATION', 1],
      ['REFUSAL', 49],
    ]);
  });
});

describe('watchAuditExports', () => {
  it('counts what each server got, what waits for it, and failed writes', async () => {
    const server = new SyslogServer();
    const syslog = { url: `tcp://${await server.listen()}` };
    // Nothing listens on this port.
    const otlp = { url: 'http://127.0.0.1:1/v1/logs', waitingMessages: 1 };
    const copied = await startAuditSystem({ syslog, otlp });
    await post(
      copied.served.url,
      touch,
      { authorization: `Bearer ${await copied.tokens.admin()}` },
      { id: 'x' },
    );
    await copied.entries(1);
    const { registry } = copied.gateway.metrics;
    const all = async (): Promise<string> => {
      const names = ['copies_total', 'copy_failures_total', 'copies_waiting'];
      const texts = names.map((name) => registry.getSingleMetricAsString(`rhizome_gateway_audit_${name}`));
      return (await Promise.all(texts)).join('\n');
    };
    // The start, and the call with its outcome, of which the first waits for the collector.
    const text = await waitFor(
      'the copies',
      async () => {
        const now = await all();
        return /copies_total\{exporter="syslog",outcome="sent"\} 3$/m.test(now) &&
          /copy_failures_total\{exporter="otlp"\} [1-9]/.test(now)
          ? now
          : undefined;
      },
      { deadlineMs: 60_000 },
    );
    expect(text).toContain('copies_total{exporter="otlp",outcome="sent"} 0');
    expect(text).toContain('copies_total{exporter="otlp",outcome="dropped"} 2');
    expect(text).toContain('copies_waiting{exporter="otlp"} 1');
    expect(text).toContain('copies_waiting{exporter="syslog"} 0');
    expect(text).toContain('copy_failures_total{exporter="syslog"} 0');
  });
});
