import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import {
  buildClientSchema,
  getIntrospectionQuery,
  type GraphQLSchema,
  type IntrospectionQuery,
} from 'graphql';
import { createTestEngine, type TestEngine } from '../testing/test-engine.js';
import { testSubgraph } from '../testing/test-subgraph.js';

const sdl = `
  interface Node { id: ID! }
  interface Event { at: String }
  interface Command { name: String }
  type Query {
    node(id: ID!): Node
    job(filter: JobFilter): Job
    lease(input: LeaseInput): Lease @tag(name: "pilot")
    commands: [Command] @tag(name: "pilot")
    versions: [Version] @tag(name: "registry")
    ping: Int @tag(name: "pilot") @tag(name: "registry")
  }
  type Mutation {
    acquire: Lease @tag(name: "pilot")
  }
  type Subscription { finished: Event! }
  type Job implements Node { id: ID! state: State last: Event }
  enum State { READY DONE }
  input JobFilter { state: State }
  type Lease implements Node { id: ID! job: Job seconds: Seconds owner: Pilot }
  scalar Seconds
  input LeaseInput { mode: Mode }
  enum Mode { FAST }
  type Pilot { name: String }
  type Stop implements Command { name: String }
  type Finished implements Event { at: String job: Job result: Result }
  type Result { ok: Boolean }
  type Version implements Node { id: ID! parts: Part }
  union Part = Left | Right
  type Left { a: Int }
  type Right { b: Int }
  type Spare { c: Int }
`;

let system: TestEngine;

beforeAll(async () => {
  const resolvers = { Query: { ping: () => 1 }, Mutation: { acquire: () => ({ id: 'l1' }) } };
  system = await createTestEngine([testSubgraph({ name: 'core', sdl, resolvers })]);
});

afterAll(() => system.close());

async function viewOf(withoutTags?: readonly string[]): Promise<GraphQLSchema> {
  const { data } = await system.run(getIntrospectionQuery(), {}, { withoutTags });
  return buildClientSchema(data as unknown as IntrospectionQuery);
}

const namesOf = (schema: GraphQLSchema): readonly string[] => Object.keys(schema.getTypeMap());

describe('introspection without tags', () => {
  it('leaves out the root fields with a tag', async () => {
    const query = (await viewOf(['pilot'])).getQueryType();
    expect(Object.keys(query?.getFields() ?? {})).toEqual(['node', 'job', 'versions']);
  });

  it('leaves out a root type that has no other fields', async () => {
    const view = await viewOf(['pilot']);
    expect(view.getMutationType()).toBeNull();
    expect(namesOf(view)).not.toContain('Mutation');
    expect((await viewOf(['registry'])).getMutationType()?.name).toBe('Mutation');
  });

  it('leaves out the types that only these fields reach', async () => {
    const whole = namesOf(await viewOf());
    const left = async (tags: readonly string[]): Promise<readonly string[]> => {
      const kept = namesOf(await viewOf(tags));
      return whole.filter((name) => !kept.includes(name)).sort();
    };
    const pilot = ['Command', 'Lease', 'LeaseInput', 'Mode', 'Mutation', 'Pilot', 'Seconds', 'Stop'];
    const registry = ['Left', 'Part', 'Right', 'Version'];
    expect(await left(['pilot'])).toEqual(pilot);
    // `Version` implements `Node`, which `node` returns; that does not keep it.
    expect(await left(['registry'])).toEqual(registry);
    expect(await left(['registry', 'pilot'])).toEqual([...pilot, ...registry].sort());
  });

  it('keeps the types of an interface that no tagged field names, and what no field reaches', async () => {
    const names = namesOf(await viewOf(['pilot', 'registry']));
    expect(names).toEqual(expect.arrayContaining(['Event', 'Finished', 'Result', 'Job', 'State', 'Spare']));
  });

  it('ignores tags that no root field has', async () => {
    expect(namesOf(await viewOf(['unknown']))).toEqual(namesOf(await viewOf()));
    expect(namesOf(await viewOf([]))).toEqual(namesOf(await viewOf()));
  });

  it('answers __type from the view', async () => {
    const query = '{ __type(name: "Lease") { name } }';
    expect((await system.run(query)).data).toEqual({ __type: { name: 'Lease' } });
    expect((await system.run(query, {}, { withoutTags: ['pilot'] })).data).toEqual({ __type: null });
    expect((await system.run(query)).data).toEqual({ __type: { name: 'Lease' } });
  });

  it('does not change execution', async () => {
    const query = '{ ping __type(name: "Pilot") { name } }';
    const answer = await system.run(query, {}, { withoutTags: ['pilot'] });
    expect(answer).toEqual({ data: { ping: 1, __type: null } });
    const mutation = await system.run('mutation { acquire { id } }', {}, { withoutTags: ['pilot'] });
    expect(mutation).toEqual({ data: { acquire: { id: 'l1' } } });
  });
});
