// cspell:ignore viwer Ijoxf
/** Documents and variables that aim at the planner, at other people's data, or at the store. */
import type { AttackCase } from './case.js';
import { graphql } from './http.js';

const invalid = { code: 'GRAPHQL_VALIDATION_FAILED' } as const;
const many = (count: number, text: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => text(at)).join(' ');
const nested = (depth: number, open: string, inner: string): string =>
  open.repeat(depth) + inner + '}'.repeat(depth);
const tooMuch = [
  'OPERATION_TOO_COMPLEX',
  'OPERATION_TOO_LARGE',
  'LIMIT_EXCEEDED',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'BAD_REQUEST',
];
const bomb = { code: tooMuch } as const;

const syntaxes: readonly AttackCase[] = [
  ['a document that is not closed', '{ viewer { subject '],
  ['a document of a comment', '# nothing'],
  ['a document of a NUL', '{ viewer\0 { subject } }'],
  ['a document with a lone surrogate', '{ job(id: "\\uD800") { id } }'],
  ['a document in capital letters', 'QUERY { viewer { subject } }'],
  ['a document of SDL', 'type Query { a: Int }'],
  ['a directive definition', 'directive @x on FIELD { viewer { subject } }'],
  ['a number without end', '{ jobs(first: 1e) { nodes { id } } }'],
  ['a string without end', '{ job(id: "x) { id } }'],
  ['100 levels of brackets in an argument', `{ job(id: ${'['.repeat(5000)}) { id } }`],
].map(([name, query]) =>
  graphql(name as string, 'reader', query as string, {
    code: [
      'GRAPHQL_PARSE_FAILED',
      'GRAPHQL_VALIDATION_FAILED',
      'OPERATION_TOO_COMPLEX',
      'OPERATION_RESOLUTION_FAILURE',
    ],
  }),
);

const fields: readonly AttackCase[] = [
  ['an unknown field', '{ viwer { subject } }'],
  [
    'the entities of a subgraph',
    '{ _entities(representations: [{ __typename: "Job", id: "x" }]) { __typename } }',
  ],
  ['the SDL of a subgraph', '{ _service { sdl } }'],
  ['an unknown directive', '{ viewer @admin { subject } }'],
  ['a directive of authorisation in a query', '{ viewer @authenticated { subject } }'],
  ['a fragment of itself', 'query { viewer { ...a } } fragment a on Viewer { ...a }'],
  [
    'a ring of fragments',
    'query { viewer { ...a } } fragment a on Viewer { ...b } fragment b on Viewer { ...a }',
  ],
  ['a fragment that is nowhere', '{ viewer { ...a } }'],
  ['a fragment that nobody uses', '{ viewer { subject } } fragment a on Viewer { subject }'],
  ['a field with itself under another argument', '{ job(id: "a") { id } job(id: "b") { id } }'],
  ['a variable that is not declared', '{ job(id: $id) { id } }'],
  ['two subscriptions in one', 'subscription { jobStateChanged { cursor } queueChanged { cursor } }'],
  [
    'two root fields of introspection in a subscription',
    'subscription { __typename jobStateChanged { cursor } }',
  ],
].map(([name, query]) => graphql(name as string, 'reader', query as string, invalid));

const selections: readonly AttackCase[] = [
  graphql('an id of 400 KiB', 'reader', `{ job(id: "${'x'.repeat(400_000)}") { id } }`, {
    status: 200,
    says: /^\{"data":\{"job":null\}\}$/,
  }),
  graphql(
    'two operations without a name',
    'reader',
    'query A { viewer { subject } } query B { viewer { subject } }',
    { code: ['BAD_REQUEST', 'GRAPHQL_VALIDATION_FAILED', 'OPERATION_RESOLUTION_FAILURE', 'BAD_USER_INPUT'] },
  ),
  graphql('a deferred fragment', 'reader', '{ viewer { ... @defer { subject } } }', { status: [200, 400] }),
  graphql('a subscription by POST', 'reader', 'subscription { jobStateChanged { cursor } }', { status: 406 }),
];

const bombs: readonly AttackCase[] = [
  ['1,000 aliases', `{ ${many(1000, (at) => `a${at}: __typename`)} }`],
  [
    '101 aliases of a query of the store',
    `{ ${many(101, (at) => `a${at}: jobs(first: 100) { nodes { id } }`)} }`,
  ],
  ['1,000 directives', `{ __typename ${'@include(if: true) '.repeat(1000)} }`],
  ['1,000 unknown directives', `{ __typename ${'@aa '.repeat(1000)} }`],
  ['20,000 fields', `{ ${'__typename '.repeat(20_000)} }`],
  ['1,000 levels', nested(1000, '{ viewer ', '{ subject }')],
  ['1,000 levels of inline fragments', `{ ${nested(1000, '... { ', '__typename')} }`],
  [
    '100 levels of jobs and workers',
    `{ jobs { nodes { ${nested(100, 'worker { jobs { nodes { ', 'id')}${'}'.repeat(200)} } } }`,
  ],
  [
    'fragments that double 25 times',
    `${many(25, (at) => `fragment f${at} on Viewer { ...f${at + 1} ...f${at + 1} }`)} fragment f25 on Viewer { subject ${many(50, (at) => `s${at}: subject`)} } { viewer { ...f0 } }`,
  ],
  [
    '5,000 fragments',
    `{ viewer { ${many(5000, (at) => `...f${at}`)} } } ${many(5000, (at) => `fragment f${at} on Viewer { subject }`)}`,
  ],
  ['5,000 operations', `${many(5000, (at) => `query q${at} { __typename }`)}`],
  ['5,000 variables', `query (${many(5000, (at) => `$v${at}: Int`)}) { __typename }`],
  ['a list of 100,000 ids', `{ jobs(filter: { ids: [${'"a",'.repeat(100_000)}] }) { nodes { id } } }`],
  [
    'the widest page at each level',
    '{ jobs(first: 100) { nodes { worker { jobs(first: 100) { nodes { worker { jobs(first: 100) { nodes { id } } } } } } } } }',
  ],
].map(([name, query]) => graphql(name as string, 'reader', query as string, bomb));

const injections: readonly AttackCase[] = [
  ['an operator of the store as an id', 'query ($v: ID!) { job(id: $v) { id } }', { $ne: null }],
  ['an operator as a name', 'query ($v: String!) { queue(name: $v) { name } }', { $gt: '' }],
  [
    'a function as a filter',
    'query ($v: [ID!]) { jobs(filter: { ids: $v }) { nodes { id } } }',
    { $where: 'sleep(1000)' },
  ],
  [
    'operators in a list of ids',
    'query ($v: [ID!]) { jobs(filter: { ids: $v }) { nodes { id } } }',
    [{ $regex: '.*' }],
  ],
  ['an operator as a number', 'query ($v: Int) { jobs(first: $v) { nodes { id } } }', { $inc: 1 }],
  ['a page of −1', 'query ($v: Int) { jobs(first: $v) { nodes { id } } }', -1],
  ['a page of 2^31', 'query ($v: Int) { jobs(first: $v) { nodes { id } } }', 2 ** 31],
  ['a page of 1.5', 'query ($v: Int) { jobs(first: $v) { nodes { id } } }', 1.5],
  ['a page in words', 'query ($v: Int) { jobs(first: $v) { nodes { id } } }', '10; drop'],
  ['a cursor of a forger', 'query ($v: String) { jobs(after: $v) { nodes { id } } }', 'eyJhIjoxfQ=='],
  ['a cursor of NUL', 'query ($v: String) { jobs(after: $v) { nodes { id } } }', '\0'],
  ['a cursor that is a list', 'query ($v: String) { jobs(after: $v) { nodes { id } } }', ['a']],
  ['a boolean as an id', 'query ($v: ID!) { job(id: $v) { id } }', true],
  ['a null for what is required', 'query ($v: ID!) { job(id: $v) { id } }', null],
  ['an unknown enum', 'query ($v: [JobState!]) { jobs(filter: { states: $v }) { nodes { id } } }', ['GONE']],
].map(([name, query, v]) =>
  graphql(
    name as string,
    'reader',
    query as string,
    { code: ['BAD_USER_INPUT', 'CURSOR_INVALID', 'OPERATION_TOO_COMPLEX'] },
    { v },
  ),
);

const lookUps: readonly AttackCase[] = [
  'reader',
  'user',
  'production',
  'operator',
  'admin',
  'agent',
  'service',
  'pilot',
].flatMap((as) => {
  const caller = as as 'reader';
  const none = { status: 200, hides: /guarded|citadel|CANARY/ } as const;
  return [
    graphql(
      `a look at a job of another experiment by ${as}`,
      caller,
      'query ($id: ID!) { job(id: $id) { name payload { environment { name value } } } }',
      { ...none, hides: /guarded|CANARY/ },
      ({ targets }) => ({ id: targets.job }),
    ),
    graphql(
      `a look at a secret of another experiment by ${as}`,
      caller,
      'query ($id: ID!) { secret(id: $id) { name } }',
      { status: 200, hides: /PASSWORD|CANARY/ },
      ({ targets }) => ({ id: targets.secret }),
    ),
    graphql(
      `a search for jobs of another experiment by ${as}`,
      caller,
      'query ($n: [String!]) { jobs(filter: { experiments: $n }) { nodes { name } } }',
      none,
      { n: ['atlas'] },
    ),
    graphql(
      `a look at a task of another experiment by ${as}`,
      caller,
      'query ($id: ID!) { task(id: $id) { name } }',
      { status: 200, hides: /"name"/ },
      ({ targets }) => ({ id: targets.task }),
    ),
    graphql(
      `the log of a job of another experiment by ${as}`,
      caller,
      'query ($id: ID!) { job(id: $id) { log(first: 10) { chunks { text } } } }',
      { status: 200, hides: /chunks/ },
      ({ targets }) => ({ id: targets.held.job.id }),
    ),
  ];
});

const counts: readonly AttackCase[] = [2 ** 53, 2 ** 31, -1].map((count) =>
  graphql(
    `a task of ${count} jobs`,
    'user',
    'mutation ($input: SubmitTaskInput!) { submitTask(input: $input) { userErrors { code } } }',
    { code: ['BAD_USER_INPUT', 'INVALID_VALUE', 'BATCH_TOO_LARGE', 'LIMIT_EXCEEDED'] },
    {
      input: {
        ...{ experiment: 'larkspur', idempotencyKey: 'counts', name: 'x', jobs: { count } },
        template: { name: 'x', payload: { command: 'true' } },
      },
    },
  ),
);

const secrets: readonly AttackCase[] = ['reader', 'agent', 'user'].map((as) =>
  graphql(
    `the environment of somebody else's job by ${as}`,
    as as 'reader',
    'query ($id: ID!) { job(id: $id) { name payload { environment { name value } } } }',
    { status: 200, hides: /CANARY/ },
    ({ targets }) => ({ id: targets.larkspurJob }),
  ),
);

const strangers: readonly AttackCase[] = [
  ['the schema', '{ __schema { types { name } } }'],
  ['a type', '{ __type(name: "Job") { fields { name } } }'],
  ['its own identity', '{ viewer { subject } }'],
  ['jobs', '{ jobs { nodes { id } } }'],
  ['a field with a slip of the pen', '{ job { idd } }'],
  ['a subscription', 'subscription { jobStateChanged { cursor } }'],
  ['a mutation', 'mutation { rotateSigningKey(input: {}) { userErrors { code } } }'],
  ['nonsense', '}{'],
].map(([what, query]) =>
  graphql(`${what} without a token`, 'nobody', query as string, {
    status: 401,
    code: 'UNAUTHENTICATED',
    hides: /Did you mean|Cannot query/,
  }),
);

/** All of them. */
export const documentCases: readonly AttackCase[] = [
  ...syntaxes,
  ...fields,
  ...selections,
  ...bombs,
  ...injections,
  ...lookUps,
  ...counts,
  ...secrets,
  ...strangers,
];
