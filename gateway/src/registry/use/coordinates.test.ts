import { describe, expect, it } from '@jest/globals';
import { buildSchema, parse } from 'graphql';
import { clientIdentity } from './client-identity.js';
import { coordinatesOf } from './coordinates.js';

const schema = buildSchema(`
  type Query { jobs(filter: JobFilter, first: Int): [Job!] node: Node pet: Pet }
  type Mutation { submit(input: Submit!): Job }
  interface Node { id: ID! }
  union Pet = Job | Site
  type Job implements Node { id: ID! state: State site(near: Boolean): Site }
  type Site { name: String }
  enum State { ON OFF }
  enum Band { RED BLUE }
  input JobFilter { states: [State!] deep: Deep }
  input Deep { band: Band more: Deep }
  input Submit { name: String }
`);

describe('coordinatesOf', () => {
  it.each<[string, string, readonly string[]]>([
    ['fields, through lists and aliases', '{ a: jobs { id i: id } }', ['Job.id', 'Query.jobs']],
    ['an enum in a result', '{ jobs { state } }', ['Job.state', 'Query.jobs', 'State']],
    [
      'arguments, with all inputs and enums within them',
      'query ($f: JobFilter) { jobs(filter: $f, first: 3) { id } }',
      [
        'Band',
        'Deep',
        'Job.id',
        'JobFilter',
        'Query.jobs',
        'Query.jobs(filter:)',
        'Query.jobs(first:)',
        'State',
      ],
    ],
    [
      'types of type conditions, in fragments of either kind',
      '{ pet { ... on Job { id } ...S } } fragment S on Site { name }',
      ['Job', 'Job.id', 'Query.pet', 'Site', 'Site.name'],
    ],
    ['a field of an interface, but not of its implementations', '{ node { id } }', ['Node.id', 'Query.node']],
    ['skipped fields as well', '{ jobs @skip(if: true) { id } }', ['Job.id', 'Query.jobs']],
    [
      'a mutation',
      'mutation { submit(input: { name: "x" }) { __typename site(near: true) { name } } }',
      ['Job.site', 'Job.site(near:)', 'Mutation.submit', 'Mutation.submit(input:)', 'Site.name', 'Submit'],
    ],
    ['nothing of introspection', '{ __schema { types { name } } __type(name: "Job") { name } }', []],
  ])('returns %s', (_, text, places) => {
    expect(coordinatesOf(parse(text), schema)).toEqual(places);
  });
});

describe('clientIdentity', () => {
  it.each<[object, object, string, string]>([
    [{}, {}, 'unknown', 'unknown'],
    [{ 'graphql-client-name': 'watcher', 'graphql-client-version': '1.2' }, {}, 'watcher', '1.2'],
    [{ 'apollographql-client-name': 'watcher' }, {}, 'watcher', 'unknown'],
    [{ 'graphql-client-name': 'by-header' }, { 'graphql-client-name': 'by-socket' }, 'by-socket', 'unknown'],
    [{ 'graphql-client-name': 'x'.repeat(65), 'graphql-client-version': 'a\nb' }, {}, 'unknown', 'unknown'],
    [{ 'graphql-client-name': '<script>' }, { 'graphql-client-name': 7 }, 'unknown', 'unknown'],
  ])('reads %j and %j as %s %s', (headers, payload, name, version) => {
    expect(clientIdentity(headers as never, payload as never)).toEqual({ name, version });
  });
});
