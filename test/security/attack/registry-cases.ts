/** The schema registry in the hands of an administrator of one experiment. */
import type { AttackCase } from './case.js';
import { graphql } from './http.js';

const register =
  'mutation ($input: RegisterSubgraphInput!) { registerSubgraph(input: $input) { userErrors { code message } } }';
const check =
  'mutation ($input: CheckSchemaInput!) { checkSchema(input: $input) { userErrors { code message } } }';
const publish =
  'mutation ($input: PublishSchemaInput!) { publishSchema(input: $input) { userErrors { code message } } }';

const endpoints: readonly AttackCase[] = [
  'http://169.254.169.254/latest/meta-data',
  'http://[fd00:ec2::254]/latest',
  'http://10.0.0.1/graphql',
  'http://192.168.1.1/graphql',
  'http://172.16.0.1/graphql',
  'http://100.100.100.200/latest',
  'http://[::ffff:169.254.169.254]/',
  'http://0xa9fea9fe/',
  'http://2852039166/',
  'file:///etc/passwd',
  'ftp://127.0.0.1/x',
  'gopher://127.0.0.1:27017/_x',
  'javascript:alert(1)',
  'data:application/json,{}',
  'http://user:password@127.0.0.1:9/graphql',
  'mongodb://127.0.0.1:27017',
  'http://',
  '',
  'not an address',
].map((endpoint) =>
  graphql(
    `the endpoint "${endpoint}"`,
    'admin',
    register,
    { code: ['INVALID_VALUE', 'FORBIDDEN'] },
    { input: { name: 'larkspur', endpoint, typePrefix: 'Larkspur' } },
  ),
);

const names: readonly AttackCase[] = [
  '../atlas',
  'gateway',
  'core',
  'a b',
  '__proto__',
  'constructor',
  '',
  'x'.repeat(1000),
  '$ne',
].map((name) =>
  graphql(
    `a subgraph of the name "${name.slice(0, 30)}"`,
    'admin',
    register,
    { code: ['INVALID_VALUE', 'FORBIDDEN', 'SUBGRAPH_NOT_FOUND', 'NAME_TAKEN'] },
    { input: { name, endpoint: 'http://127.0.0.1:9/graphql', typePrefix: 'Attack' } },
  ),
);

const schemas: readonly (readonly [string, string])[] = [
  ['no SDL', ''],
  ['nonsense', '}{'],
  ['an empty type', 'type Query {}'],
  ['the types of core', 'extend type Job @key(fields: "id") { id: ID! @external stolen: String }'],
  ['types of another prefix', 'type Query { x: AtlasSecret } type AtlasSecret { a: Int }'],
  ['a field of the root of another', 'type Query { job(id: ID!): LarkspurX } type LarkspurX { a: Int }'],
  ['1,000 levels of lists', `type Query { larkspurX: ${'['.repeat(1000)}Int${']'.repeat(1000)} }`],
  ['10,000 types', Array.from({ length: 10_000 }, (_, at) => `type LarkspurT${at} { a: Int }`).join(' ')],
  [
    'a link to another machine',
    'extend schema @link(url: "http://169.254.169.254/latest", import: ["@x"]) type Query { larkspurX: Int }',
  ],
  ['a name of a prototype', 'type __proto__ { a: Int } type Query { larkspurX: __proto__ }'],
];

const checks: readonly AttackCase[] = schemas.flatMap(([what, sdl]) => [
  graphql(
    `a check of ${what}`,
    'admin',
    check,
    { status: [200, 400, 413] },
    { input: { subgraph: 'larkspur', sdl } },
  ),
  graphql(
    `a publication of ${what}`,
    'admin',
    publish,
    { status: [200, 400, 413], says: /userErrors":\[\{|"errors"/ },
    { input: { subgraph: 'larkspur', sdl, note: 'attack' } },
  ),
]);

/** All of them. */
export const registryCases: readonly AttackCase[] = [...endpoints, ...names, ...checks];
