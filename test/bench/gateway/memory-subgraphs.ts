/** Three small subgraphs with their data in memory: jobs, and what two others add to each. */
import type { Policies } from '@rhizome/authz';
import { buildSubgraph, byKey, entity, representationAsIs, type SubgraphSchema } from '@rhizome/subgraph';
import { parse } from 'graphql';

/** Jobs in memory. */
export const jobCount = 1_000;
/** The types carry descriptions nowhere: they are the benchmark's own and no part of the system's schema. */
const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])';

/** Operation of the clients: a page of 20 jobs with fields of two other subgraphs; three fetches. */
export const memoryPage = /* GraphQL */ `
  query BenchMemoryPage($offset: Int!) {
    jobs(first: 20, offset: $offset) {
      id
      state
      step {
        name
        firstEvent
      }
      group {
        index
      }
    }
  }
`;

interface JobRow {
  readonly id: string;
  readonly state: string;
}

const idOf = (index: number): string => `job_${String(index).padStart(26, '0')}`;
const rows: readonly JobRow[] = Array.from({ length: jobCount }, (_, index) => ({
  id: idOf(index),
  state: index % 3 === 0 ? 'RUNNING' : 'FINISHED',
}));
const read = { action: 'job:read' } as const;

function jobs(): SubgraphSchema {
  const job = entity<JobRow>({
    type: 'Job',
    key: 'id',
    load: async (ids) => byKey(ids, rows, ({ id }) => id),
  });
  const policies: Policies = { 'Query.jobs': read, 'Job.__resolveReference': read };
  return buildSubgraph({
    name: 'jobs',
    typeDefs: parse(
      `${link} type Query { jobs(first: Int!, offset: Int!): [Job!]! } type Job @key(fields: "id") { id: ID! state: String! }`,
    ),
    resolvers: {
      Query: {
        jobs: (_parent: unknown, { first, offset }: { first: number; offset: number }) =>
          rows.slice(offset, offset + first),
      },
      Job: { __resolveReference: job.resolveReference },
    },
    policies,
  });
}

/** A subgraph that adds one object to each job, found by a loader. */
function addition<T extends object>(
  name: string,
  typeDefs: string,
  field: string,
  detail: (index: number) => T,
): SubgraphSchema {
  const details = new Map(rows.map(({ id }, index) => [id, detail(index)]));
  const loader = entity<T>({
    type: field,
    key: 'id',
    load: async (ids) => ids.map((id) => details.get(id) ?? null),
  });
  return buildSubgraph({
    name,
    typeDefs: parse(`${link} ${typeDefs}`),
    resolvers: {
      Job: {
        __resolveReference: representationAsIs,
        [field]: (
          { id }: { id: string },
          _args: object,
          context: Parameters<typeof loader.resolveReference>[1],
        ) => context.loaders.load(loader.loader, id),
      },
    },
    policies: { 'Job.__resolveReference': read },
  });
}

/** The subgraphs. */
export function memorySubgraphs(): readonly SubgraphSchema[] {
  return [
    jobs(),
    addition(
      'steps',
      'type Job @key(fields: "id") { id: ID! step: Step } type Step { name: String! firstEvent: Int! }',
      'step',
      (index) => ({ name: 'EVGEN', firstEvent: index * 200 }),
    ),
    addition(
      'groups',
      'type Job @key(fields: "id") { id: ID! group: Group } type Group { index: Int! }',
      'group',
      (index) => ({ index }),
    ),
  ];
}
