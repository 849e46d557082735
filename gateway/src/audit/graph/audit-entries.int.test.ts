import type { OpenedAudit } from '@rhizome/audit';
import { beforeAll, describe, expect, it } from '@jest/globals';
import { Verifier, type AuditRecord } from '@rhizome/audit/verification';
import { waitFor } from '@rhizome/testkit';
import { openTestAudit } from '../../testing/audit-system.js';
import { type RegistrySystem, startRegistrySystem } from '../../testing/registry-system.js';

const list = /* GraphQL */ `
  query ($filter: AuditEntryFilter, $first: Int, $after: String) {
    auditEntries(filter: $filter, first: $first, after: $after) {
      nodes {
        id
        action
        experiment {
          name
        }
        experimentName
        result
        actor {
          principal {
            subject
          }
          subject
          kind
          human {
            subject
          }
          tokenKind
          worker {
            id
          }
          workerId
        }
        targets {
          ids
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
const check =
  'mutation ($subgraph: String!) { checkSchema(input: { subgraph: $subgraph }) { userErrors { code } } }';
let audit: OpenedAudit;
let system: RegistrySystem;

beforeAll(async () => {
  audit = await openTestAudit();
  system = await startRegistrySystem({ audit });
  const optics = await system.tokens.human('ada@example', { optics: 'OPERATOR' });
  const tracking = await system.tokens.human('eve@example', { tracking: 'OPERATOR' });
  await system.ask(check, { subgraph: 'optics' }, optics);
  await system.ask(check, { subgraph: 'tracking' }, tracking);
  await system.ask(check, { subgraph: 'core' });
  // Outcomes are stored a moment later than intents.
  const isOver = async (): Promise<boolean> => {
    const { data } = await system.ask(list, { filter: { kind: 'MUTATION' } });
    return data.auditEntries.nodes.every((one: { result: string }) => one.result !== 'UNKNOWN');
  };
  await waitFor('all outcomes', isOver, { deadlineMs: 60_000 });
});

describe('auditEntries', () => {
  it('gives an administrator the entries of all experiments, the newest first, in pages', async () => {
    const filter = { kind: 'MUTATION' };
    const first = await system.ask(list, { filter, first: 2 });
    const { nodes, pageInfo } = first.data.auditEntries;
    expect(nodes.map((one: { experimentName: string | null }) => one.experimentName)).toEqual([
      null,
      'tracking',
    ]);
    const { data } = await system.ask(list, { filter, first: 2, after: pageInfo.endCursor });
    expect(data.auditEntries.nodes).toMatchObject([
      {
        action: 'Mutation.checkSchema',
        experiment: { name: 'optics' },
        experimentName: 'optics',
        result: 'REJECTED',
        actor: {
          principal: { subject: 'ada@example' },
          subject: 'ada@example',
          kind: 'HUMAN',
          human: { subject: 'ada@example' },
          tokenKind: 'USER',
          worker: null,
          workerId: null,
        },
        targets: { ids: ['optics'] },
      },
    ]);
    expect(data.auditEntries.pageInfo.hasNextPage).toBe(false);
  });

  it('gives others those of their experiments only, and refuses without the permission', async () => {
    const operator = await system.tokens.human('olga@example', { tracking: 'OPERATOR' });
    const { data } = await system.ask(list, {}, operator);
    expect(data.auditEntries.nodes.map((one: { actor: { subject: string } }) => one.actor.subject)).toEqual([
      'eve@example',
    ]);
    const foreign = (await system.ask(list, { filter: { experiment: 'optics' } })).data.auditEntries.nodes[0]
      .id;
    const one = 'query ($id: ID!) { auditEntry(id: $id) { id } }';
    expect((await system.ask(one, { id: foreign })).data).toEqual({ auditEntry: { id: foreign } });
    expect((await system.ask(one, { id: foreign }, operator)).data).toEqual({ auditEntry: null });
    const user = await system.tokens.human('ursula@example', { tracking: 'USER' });
    expect((await system.ask(list, {}, user)).codes).toEqual(['FORBIDDEN']);
  });

  it.each([
    [{ subject: 'eve@example' }, 1],
    [{ human: 'ada@example' }, 1],
    [{ target: 'optics' }, 1],
    [{ action: 'Mutation.checkSchema' }, 3],
    [{ result: 'REJECTED', kind: 'MUTATION', subject: 'ada@example' }, 1],
    [{ address: '127.0.0.1', action: 'Mutation.checkSchema' }, 3],
    [{ since: '2100-01-01T00:00:00Z' }, 0],
    [{ until: '2100-01-01T00:00:00Z', action: 'Mutation.checkSchema' }, 3],
  ])('narrows by %j', async (filter, count) => {
    const { data } = await system.ask(list, { filter });
    expect(data.auditEntries.nodes).toHaveLength(count);
  });

  it('gives records that verify without the store', async () => {
    const { data } = await system.ask(list, {});
    const verifier = new Verifier();
    const records = data.auditEntries.nodes as readonly { readonly record: string }[];
    for (const { record } of records) verifier.add(JSON.parse(record) as AuditRecord);
    expect(verifier.report()).toMatchObject({ chains: 1, tampering: [] });
    expect(records.length).toBeGreaterThan(3);
  });

  it('is an error in a gateway without a log', async () => {
    const bare = await startRegistrySystem();
    expect((await bare.ask(list, {})).codes).toEqual(['SERVICE_UNAVAILABLE']);
  });
});
