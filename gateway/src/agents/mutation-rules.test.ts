import { readFileSync } from 'node:fs';
import { describe, expect, it } from '@jest/globals';
import { buildSchema, getNamedType, isInputObjectType, type GraphQLInputObjectType } from 'graphql';
import { freeze, isFault } from './freeze.js';
import { listedRules, ruleOf } from './mutation-rules.js';

const root = new URL('../../../', import.meta.url);
const read = (path: string): string => readFileSync(new URL(path, root), 'utf8');
const schema = buildSchema(read('schema/public.graphql'), { assumeValidSDL: true });
const fields = schema.getMutationType()?.getFields() ?? {};
const inputOf = (name: string): GraphQLInputObjectType => {
  const type = getNamedType(fields[name]?.args[0]?.type);
  if (!isInputObjectType(type)) throw new Error(`${name} has no input`);
  return type;
};

describe('the table of mutations', () => {
  it.each(Object.entries(listedRules))('fits the schema: %s', (name, { target, repeatable }) => {
    const input = inputOf(name).getFields();
    if (target) expect(input).toHaveProperty(target.kind === 'JOBS' ? 'selection' : target.field);
    expect('idempotencyKey' in input).toBe(repeatable === undefined);
  });

  it('has the permissions that core asks for', () => {
    const sources = ['jobs', 'tasks', 'queues', 'workers', 'workflows', 'fleets']
      .map((domain) => read(`subgraphs/core/src/${domain}/graphql/resolvers.ts`))
      .join('\n');
    const asked = [...sources.matchAll(/'Mutation\.(\w+)': \{\s*action: '([\w:]+)'/g)];
    const actions = new Map(asked.map(([, name, action]) => [name, action]));
    for (const [name, { action }] of Object.entries(listedRules))
      expect([name, actions.get(name)]).toEqual([name, action]);
  });

  it('marks those that start an unknown number of jobs', () => {
    const marked = Object.keys(listedRules).filter((name) => listedRules[name]?.isUncounted);
    expect(marked).toEqual(['submitWorkflow', 'retryWorkflow', 'cloneWorkflow']);
  });

  it('accepts unknown mutations with a key only, and none about secrets, workers or the gateway', () => {
    expect(ruleOf('submitWrenRun', true, false)).toEqual({ stakes: 'IRREVERSIBLE', repeatable: 'BY_KEY' });
    expect(ruleOf('submitWrenRun', false, false)).toBeUndefined();
    for (const name of ['createSecret', 'registerWorker', 'requestPilots'])
      expect(ruleOf(name, true, false)).toBeUndefined();
    expect(ruleOf('cancelJobs', true, true)).toBeUndefined();
  });
});

describe('freeze', () => {
  const frozen = (text: string, variables: Readonly<Record<string, unknown>> = {}) =>
    freeze({
      ...{ schema, text, variables, key: 'proposal_1', isOwn: (name) => name === 'linkIdentity' },
      experimentsOf: () => [],
    });
  const retry = `mutation R($ids: [ID!]!, $factor: Float!) {
    retryJobs(input: {
      selection: { ids: $ids }, idempotencyKey: "mine", changes: { requirements: { memory: { factor: $factor } } }
    }) { jobs { log { chunks { text } } } }
  }`;

  it('makes one variable of the whole input, with the key of the proposal and the defaults of the schema', () => {
    expect(frozen(retry, { ids: ['job_1'], factor: 2 })).toMatchObject({
      mutation: 'retryJobs',
      input: {
        ...{ selection: { ids: ['job_1'] }, idempotencyKey: 'proposal_1', isWithDependents: false },
        changes: { requirements: { memory: { factor: 2 } } },
      },
    });
  });

  it('selects errors, counts and identifiers instead of what the proposer has selected', () => {
    const change = frozen(retry, { ids: ['job_1'], factor: 2 });
    if (isFault(change)) throw new Error(change.message);
    expect(change.operation).not.toContain('log');
    expect(change.operation).toMatch(/jobs \{ id name state revision|jobs \{ id name state/);
    expect(change.operation).toContain('userErrors { message path code }');
    expect(change.operation).toContain('changedCount');
  });

  it('fills in a key that is left out where the input is a variable, and never makes a dry run of the change', () => {
    const text = 'mutation ($input: RetryJobsInput!) { retryJobs(input: $input) { userErrors { code } } }';
    expect(frozen(text, { input: { selection: { ids: ['job_1'] } } })).toMatchObject({
      input: { idempotencyKey: 'proposal_1' },
    });
    const pause = 'mutation ($input: PauseTaskInput!) { pauseTask(input: $input) { userErrors { code } } }';
    const input = { taskId: 'task_1', reason: 'wait', isDryRun: true };
    expect(frozen(pause, { input })).toMatchObject({ hasDryRun: true, input: { isDryRun: false } });
  });

  it.each(Object.keys(listedRules))('accepts each mutation of the table: %s', (name) => {
    const text = `mutation ($input: ${inputOf(name).name}!) { ${name}(input: $input) { userErrors { code } } }`;
    // Its variables are missing; the mutation itself is accepted.
    expect(frozen(text)).toMatchObject({ message: expect.stringMatching(/^variables: /) });
  });

  it('refuses inputs with secrets and further arguments, and selects no texts of the payload', () => {
    const own = buildSchema(`
      input DoInput { idempotencyKey: String! login: LoginInput }
      input LoginInput { password: String, again: LoginInput }
      input RunInput { idempotencyKey: String! }
      enum RunState { READY }
      type RunError { message: String! path: [String!]! }
      type Payload { uploadUrl: String detail: String count: Int! kind: RunState userErrors: [RunError!]! }
      type Query { a: Int }
      type Mutation {
        login(input: DoInput!): Payload!
        forced(input: RunInput!, force: Boolean): Payload!
        loose(input: RunInput): Payload!
        run(input: RunInput!): Payload!
      }
    `);
    const freezing = (field: string, type: string) =>
      freeze({
        ...{ schema: own, variables: { input: {} }, key: 'proposal_1', isOwn: () => false },
        ...{ text: `mutation ($input: ${type}!) { ${field} { count } }`, experimentsOf: () => [] },
      });
    for (const [field, type, words] of [
      ['login(input: $input)', 'DoInput', 'its input has LoginInput.password'],
      ['forced(input: $input, force: true)', 'RunInput', 'must take one required argument'],
      ['loose(input: $input)', 'RunInput', 'must take one required argument'],
    ] as const)
      expect(freezing(field, type)).toMatchObject({
        ...{ code: 'MUTATION_NOT_SUPPORTED', message: expect.stringContaining(words) },
      });
    expect(freezing('run(input: $input)', 'RunInput')).toMatchObject({
      operation: expect.stringMatching(/\{ count kind userErrors \{ message path \} \}/),
    });
  });

  it.each([
    ['an unknown field', 'mutation { destroyEverything { code } }', {}, /^operation: Cannot query field/],
    ['a fragment', `${retry} fragment F on Job { id }`, {}, /^operation: must be one operation without/],
    ['a missing variable', retry, {}, /^variables: .*\$ids/],
    ['a wrong type', retry, { ids: [{}] }, /^variables: /],
    [
      'a directive',
      retry.replace(') { jobs', ') @skip(if: true) { jobs'),
      { ids: [] },
      /^operation: must have no/,
    ],
    [
      'a mutation of the gateway',
      'mutation { linkIdentity(input: { token: "x" }) { userErrors { code } } }',
      {},
      /^operation: linkIdentity cannot be proposed/,
    ],
  ])('refuses %s', (_what, text, variables, message) => {
    expect(frozen(text, variables)).toMatchObject({ message: expect.stringMatching(message) });
  });
});
