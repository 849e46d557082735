/**
 * The checks of graphql-cop, an audit program for GraphQL servers, written again: each asks what that program
 * asks, and fails where it would report a finding. They run without a token, as that program does by default,
 * and with a reader's token at a gateway that hides its schema.
 */
import type { Caller } from './attackers.js';
import { type AttackCase, type Outcome } from './case.js';
import { type Attack, send } from './http.js';

interface Check {
  readonly name: string;
  readonly attack: Attack;
  /** True if the answer is a finding. */
  readonly finds: (outcome: Outcome) => boolean;
}

interface Body {
  readonly data?: Record<string, unknown> | null;
  readonly errors?: readonly { readonly message?: string; readonly extensions?: Record<string, unknown> }[];
  readonly extensions?: Record<string, unknown>;
}

const bodyOf = ({ text }: Outcome): Body => {
  try {
    return JSON.parse(text) as Body;
  } catch {
    return {};
  }
};
const has = (name: string) => (outcome: Outcome) => Boolean(bodyOf(outcome).data?.[name]);
const post = (query: string): Attack => ({ body: { query } });
const get = (query: string): Attack => ({
  method: 'GET',
  path: `/graphql?query=${encodeURIComponent(query)}`,
});
const typename = '{ __typename }';
const repeat = (count: number, text: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => text(at)).join(' ');
const circle = `{ __schema { types { ${'fields { type { '.repeat(5)}name${' } }'.repeat(5)} } } }`;

const checks: readonly Check[] = [
  {
    name: 'alias overloading',
    attack: post(`{ ${repeat(101, (at) => `alias${at}: __typename`)} }`),
    finds: has('alias100'),
  },
  {
    name: 'batched queries',
    attack: { body: JSON.stringify(Array.from({ length: 10 }, () => ({ query: typename }))) },
    finds: (outcome) => Array.isArray(bodyOf(outcome)),
  },
  {
    name: 'directive overloading',
    attack: post(`{ __typename ${'@aa'.repeat(10)} }`),
    finds: (outcome) => (bodyOf(outcome).errors?.length ?? 0) >= 10,
  },
  { name: 'a circular introspection', attack: post(circle), finds: has('__schema') },
  {
    name: 'introspection',
    attack: post('{ __schema { types { name fields { name } } } }'),
    finds: has('__schema'),
  },
  {
    name: 'field suggestions',
    attack: post('{ __schema { directive } }'),
    finds: ({ text }) => text.includes('Did you mean'),
  },
  {
    name: 'GraphiQL',
    attack: { method: 'GET', headers: { accept: 'text/html' } },
    finds: ({ text }) => /graphiql|graphql.playground/i.test(text),
  },
  { name: 'a mutation by GET', attack: get('mutation { __typename }'), finds: has('__typename') },
  {
    name: 'a query by GET from another site',
    // A page of another site can send no authorization header.
    attack: { ...get(typename), as: 'nobody', headers: { 'sec-fetch-site': 'cross-site' } },
    finds: has('__typename'),
  },
  {
    name: 'a query in a form',
    attack: {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `query=${encodeURIComponent(typename)}`,
    },
    finds: has('__typename'),
  },
  {
    name: 'tracing',
    attack: post(typename),
    finds: (outcome) => {
      const { extensions, errors } = bodyOf(outcome);
      return [extensions, ...(errors ?? []).map((error) => error.extensions)].some(
        (one) => one && 'tracing' in one,
      );
    },
  },
  {
    name: 'an unhandled error',
    attack: post('qwerty cop { abc }'),
    finds: (outcome) =>
      (bodyOf(outcome).errors ?? []).some(
        ({ extensions = {} }) => 'exception' in extensions || 'stacktrace' in extensions,
      ),
  },
  { name: 'field duplication', attack: post(`{ ${'__typename '.repeat(500)} }`), finds: has('__typename') },
];

const cases = (at: string, as: Caller): readonly AttackCase[] =>
  checks.map(({ name, attack, finds }) => ({
    name: `graphql-cop finds no ${name.replace(/^an? /, '')} at ${at} as ${as}`,
    expected: { message: 'nothing found' },
    run: async (system) => {
      const outcome = await send(system, { as, ...attack, at });
      return { ...outcome, message: finds(outcome) ? 'a finding' : 'nothing found' };
    },
  }));

/** All of them. */
export const copCases: readonly AttackCase[] = [
  ...cases('gateway', 'nobody'),
  ...cases('identities', 'reader'),
];
