// The audit log of the whole system: each mutation of the schema, each refusal, and a gateway that is killed.
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Verifier, type AuditRecord, readHeadFolder, readPublicKey } from '@rhizome/audit/verification';
import { playgroundQueue } from '@rhizome/playground';
import { pauseProcess, SyslogServer, waitFor } from '@rhizome/testkit';
import type { GraphQLSchema } from 'graphql';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import { apiOf } from '../e2e/system/api.js';
import { type ServiceSystem, startServices } from '../e2e/system/service-system.js';
import { spokenCredential } from '../e2e/system/worker-credentials.js';
import { minimalCall } from './minimal-call.js';
import { type OtlpReceiver, startOtlpReceiver } from './programs/programs.js';
import { publicSchema } from './public-schema.js';

interface Entry {
  readonly kind: string;
  readonly action: string;
  readonly result: string;
  readonly codes: readonly string[];
  readonly requestId: string;
  readonly actor: { readonly subject: string } | null;
  readonly record: string;
}

/** An entry, or its outcome, as a syslog server gets it. */
interface Copy {
  readonly type: 'ENTRY' | 'OUTCOME';
  readonly _id: string;
  readonly action?: string;
}

let system: ServiceSystem;
let schema: GraphQLSchema;
let syslog: SyslogServer<Copy>;
let collector: OtlpReceiver;

beforeAll(async () => {
  syslog = new SyslogServer();
  const url = `tcp://${await syslog.listen()}`;
  collector = await startOtlpReceiver();
  system = await startServices({
    gatewayEnv: {
      RHIZOME_GATEWAY_AUDIT_SYSLOG_URL: url,
      RHIZOME_GATEWAY_AUDIT_OTLP_URL: collector.url,
    },
  });
  schema = publicSchema();
});

const list = /* GraphQL */ `
  query ($filter: AuditEntryFilter, $after: String) {
    auditEntries(filter: $filter, first: 1000, after: $after) {
      nodes {
        kind
        action
        result
        codes
        requestId
        actor {
          subject
        }
        record
      }
      pageInfo {
        endCursor
        hasNextPage
      }
    }
  }
`;

async function entriesOf(filter: object): Promise<readonly Entry[]> {
  const entries: Entry[] = [];
  for (let after: string | null = null; ;) {
    const answer: {
      auditEntries: { nodes: Entry[]; pageInfo: { endCursor: string; hasNextPage: boolean } };
    } = await system.api().data(list, { filter, after });
    entries.push(...answer.auditEntries.nodes);
    if (!answer.auditEntries.pageInfo.hasNextPage) return entries;
    after = answer.auditEntries.pageInfo.endCursor;
  }
}

/** Sends a mutation with a request id, and returns its entries once each has an outcome. */
async function recorded(field: string, token: string | undefined): Promise<readonly Entry[]> {
  const { query, variables } = minimalCall(schema, field);
  const requestId = `walk-${field}-${token?.length ?? 0}`;
  const { errors = [] } = await apiOf(system.url, token, { 'x-request-id': requestId }).post(
    query,
    variables,
  );
  const invalid = errors.filter(({ extensions: { code } }) => code === 'GRAPHQL_VALIDATION_FAILED');
  expect(invalid).toEqual([]);
  const read = async () => {
    const entries = await entriesOf({ requestId });
    return entries.length > 0 && entries.every(({ result }) => result !== 'UNKNOWN') && entries;
  };
  return waitFor(`the entry of ${field}`, read, { deadlineMs: 5_000 });
}

/** Deliveries of secrets have a kind of their own. */
const kindOf = (field: string): string => (field === 'redeemSecrets' ? 'SECRET_READ' : 'MUTATION');

/** Mutations that concern the caller alone, and that a reader may call with any input. */
const openToReaders = [
  ...['approveProposal', 'createProposal', 'denyProposal'],
  ...[
    'endElevation',
    'grantMandate',
    'revokeJobAccess',
    'revokeMandate',
    'startElevation',
    'unlinkIdentity',
    'withdrawProposal',
  ],
  'withdrawSubmissionConsent',
];

const mutations = () => Object.keys(schema.getMutationType()?.getFields() ?? {});

describe('the audit log', () => {
  it('has exactly one entry for each mutation of the schema, whatever its outcome', async () => {
    expect(mutations().length).toBeGreaterThan(25);
    for (const field of mutations()) {
      const entries = await recorded(field, system.token);
      expect(entries.map(({ kind, action, actor }) => [kind, action, actor?.subject])).toEqual([
        [kindOf(field), `Mutation.${field}`, 'playground:newcomer'],
      ]);
    }
  });

  it('has exactly one entry for each mutation that is refused', async () => {
    const reader = await system.identities.reader();
    const refused = new Map<string, string>();
    for (const field of mutations()) {
      const entries = await recorded(field, reader);
      expect(entries).toHaveLength(1);
      refused.set(field, `${entries[0]?.kind} ${entries[0]?.result}`);
    }
    const others = [...refused].filter(
      ([, outcome]) => outcome !== 'MUTATION REFUSED' && outcome !== 'SECRET_READ REFUSED',
    );
    expect(others.map(([field]) => field).sort()).toEqual(openToReaders);
  });

  it('has no entry for reports of workers, and one if somebody else reports', async () => {
    const credential = await spokenCredential(system, { name: 'pilot', queue: playgroundQueue });
    await credential.startWorker();
    const { query, variables } = minimalCall(schema, 'heartbeat');
    expect(await credential.apiAt(system.url).post(query, variables)).toMatchObject({ status: 200 });
    const found = (await entriesOf({ action: 'Mutation.heartbeat' })).map(({ actor }) => actor?.subject);
    expect(found).toEqual(['playground:reader', 'playground:newcomer']);
  });

  it('has refusals before an operation: without a token, over HTTP and WebSocket', async () => {
    const before = (await entriesOf({ kind: 'REFUSAL' })).length;
    await fetch(system.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: 'Bearer no-token' },
      body: JSON.stringify({ query: '{ jobs { nodes { id } } }' }),
    });
    const socket = createClient({
      url: system.wsUrl,
      webSocketImpl: WebSocket,
      connectionParams: { authorization: 'Bearer no-token-either' },
      retryAttempts: 0,
      lazy: false,
      onNonLazyError: () => undefined,
    });
    await new Promise<void>((resolve) => socket.on('closed', () => resolve()));
    await socket.dispose();
    const read = async () => {
      const entries = await entriesOf({ kind: 'REFUSAL' });
      return entries.length > before && entries;
    };
    const entries = await waitFor('a refusal', read, { deadlineMs: 5_000 });
    expect(entries[0]).toMatchObject({ result: 'REFUSED', codes: ['UNAUTHENTICATED'], actor: null });
  });

  it('has no value of an argument in it', async () => {
    const canary = 'canary-4711';
    const { query, variables } = minimalCall(schema, 'submitJobs');
    const { input } = variables as { readonly input: { readonly jobs: readonly object[] } };
    const payload = { command: canary, arguments: [canary], environment: [{ name: canary, value: canary }] };
    const jobs = input.jobs.map((job) => ({ ...job, name: 'plain', payload }));
    await system.api().post(query, { input: { ...input, idempotencyKey: canary, jobs } });
    const entries = await entriesOf({ action: 'Mutation.submitJobs' });
    expect(entries.length).toBeGreaterThan(1);
    expect(entries.filter(({ record }) => record.includes(canary))).toEqual([]);
  });

  it('is copied to a syslog server and a collector by the process of the gateway', async () => {
    const stored = (await entriesOf({})).map(({ record }) => JSON.parse(record) as { readonly _id: string });
    const lacking = (copies: readonly Pick<Copy, 'type' | '_id'>[]): readonly string[] => {
      const ids = new Set(copies.filter(({ type }) => type === 'ENTRY').map(({ _id }) => _id));
      return stored.map(({ _id }) => _id).filter((id) => !ids.has(id));
    };
    const atCollector = () => collector.received().map(({ body }) => body);
    expect(stored.length).toBeGreaterThan(50);
    const patience = { deadlineMs: 60_000 };
    await waitFor('the copies of all entries', () => lacking(syslog.received).length === 0, patience);
    await waitFor('those at the collector', () => lacking(atCollector()).length === 0, patience);
    expect(collector.refused()).toEqual([]);
    const [first] = collector.received();
    const facts = { 'rhizome.audit.action': 'gateway.start', 'rhizome.audit.sequence': 1 };
    expect(first).toMatchObject({ service: 'rhizome-gateway', severity: 9, attributes: facts });
  });

  it('shows a call as UNKNOWN if the gateway is killed before its outcome, and verifies with the heads', async () => {
    const { query, variables } = minimalCall(schema, 'setQueueState');
    const resume = await pauseProcess(system.service('core').pid);
    const answer = system
      .api()
      .post(query, variables)
      .catch(() => undefined);
    // The gateway's own fields answer while core does not.
    const read = async () =>
      (await entriesOf({ action: 'Mutation.setQueueState', result: 'UNKNOWN' })).length > 0;
    await waitFor('the intent of the call', read, { deadlineMs: 5_000 });
    system.service('gateway').signal('SIGKILL');
    await answer;
    resume();
    await system.startAgain('gateway');
    const unknown = await entriesOf({ action: 'Mutation.setQueueState', result: 'UNKNOWN' });
    expect(unknown.map(({ result, actor }) => [result, actor?.subject])).toEqual([
      ['UNKNOWN', 'playground:newcomer'],
    ]);
    const verifier = new Verifier();
    for (const { record } of await entriesOf({})) verifier.add(JSON.parse(record) as AuditRecord);
    const folder = join(system.data, 'audit');
    const { heads, faults } = await readHeadFolder(folder, await readPublicKey(folder));
    expect(faults).toEqual([]);
    expect(verifier.report(heads)).toMatchObject({ chains: 2, tampering: [], unsigned: [] });
  });
});
