import { describe, expect, it } from '@jest/globals';
import { graphql, buildSchema, type GraphQLResolveInfo } from 'graphql';
import { jobProjection } from './job-fields.js';

const schema = buildSchema(`
  type Job { id: ID state: String name: String payload: String transitions: String task: Task }
  type Task { id: ID name: String }
  type Edge { node: Job cursor: String }
  type Connection { nodes: [Job] edges: [Edge] count: Int }
  union Entity = Job | Task
  type Query { job: Job jobs: Connection entities: [Entity] }
`);

async function fieldsFor(
  query: string,
  field: 'job' | 'jobs' | 'entities',
  ...paths: string[][]
): Promise<string[]> {
  let found: string[] | undefined;
  const take = (_args: unknown, _context: unknown, info: GraphQLResolveInfo) => {
    found = Object.keys(jobProjection(info, ...paths));
    return null;
  };
  await graphql({ schema, source: query, rootValue: { [field]: take } });
  return found ?? [];
}
const always = 'experiment fence owner queue share state submittedBy taskId workerId'.split(' ');

describe('jobProjection', () => {
  it('returns few fields if only id and state are selected', async () => {
    expect(await fieldsFor('{ job { id state __typename } }', 'job')).toEqual(always);
  });

  it('returns the selected fields, also through fragments', async () => {
    const query = '{ job { ...a ... on Job { task { name } } ... { name } } } fragment a on Job { payload }';
    expect(await fieldsFor(query, 'job')).toEqual([...always, 'name', 'payload'].sort());
  });

  it('finds the selection on all paths from a page to its jobs', async () => {
    const query =
      '{ jobs { count nodes { name } edges { cursor node { transitions } } ...p } } fragment p on Connection { nodes { payload } }';
    expect(await fieldsFor(query, 'jobs', ['nodes'], ['edges', 'node'])).toEqual(
      [...always, 'name', 'payload', 'transitions'].sort(),
    );
  });

  it('leaves out the selection of entities of other types', async () => {
    expect(
      await fieldsFor('{ entities { ... on Task { name } ... on Job { payload } } }', 'entities'),
    ).toEqual([...always, 'payload'].sort());
  });
});
