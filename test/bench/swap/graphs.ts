/**
 * Supergraphs for the benchmarks of the gateway's loop and of its reloads, and documents that nobody has sent
 * before.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { compose, publicSdlOf } from '@rhizome/schema';
import {
  buildSchema,
  getNamedType,
  type GraphQLArgument,
  type GraphQLField,
  type GraphQLInputType,
  isCompositeType,
  isEnumType,
  isInputObjectType,
  isListType,
  isNonNullType,
  isObjectType,
  isRequiredArgument,
  isRequiredInputField,
} from 'graphql';

/** A supergraph, and the n-th document for it that was never seen before. */
export interface Graph {
  readonly sdl: string;
  document(index: number): string;
}

const link =
  'extend schema @link(url: "https://specs.apollo.dev/federation/v2.7", import: ["@key", "@composeDirective"])';
const experiments = 20;
const typesEach = 60;

const core = `${link}
  @link(url: "https://rhizome.example/system/v1.0", import: ["@resumable"])
  @composeDirective(name: "@resumable")
directive @resumable(argument: String!, cursor: String!) on FIELD_DEFINITION
type Query { jobs: [Job!] }
type Subscription { ticked(after: String): Tick! @resumable(argument: "after", cursor: "cursor") }
type Tick { cursor: String! number: Int! }
type Job @key(fields: "id") { id: ID! name: String }`;

function experiment(index: number): string {
  const types = Array.from(
    { length: typesEach },
    (_, at) =>
      `type X${index}T${at} { a(b: Int, c: String): Int "what it is" d: String e: [Int!] f: X${index}T${(at + 1) % typesEach} g: Job }`,
  );
  return [link, `type Job @key(fields: "id") { id: ID! x${index}: X${index}T0 }`, ...types].join('\n');
}

/**
 * A core and twenty experiments, 1,200 types, more than 150 kB. `mark` is in a description: another text each
 * time.
 */
export function largeGraph(mark = ''): Graph {
  const parts = [
    { name: 'core', sdl: core.replace('type Tick', `"Version ${mark}."\ntype Tick`) },
    ...Array.from({ length: experiments }, (_, index) => ({ name: `x${index}`, sdl: experiment(index) })),
  ];
  const result = compose(parts.map((part) => ({ ...part, url: `http://${part.name}.invalid/graphql` })));
  if (!result.ok) throw new Error(result.faults.map(({ message }) => message).join('\n'));
  return { sdl: result.supergraphSdl, document: largeDocument };
}

/** Two experiments, some levels deep, under a name of its own. */
function largeDocument(index: number): string {
  const part = (at: number): string =>
    `x${at} { n${index}: d a(b: ${index}) f { d e f { d g { id name x${(at + 1) % experiments} { d } } } } }`;
  return `query Cold${index} { jobs { id name ${part(index % experiments)} ${part((index * 7 + 3) % experiments)} } }`;
}

/** The committed supergraph of this repository. */
export function ownGraph(root: string): Graph {
  const sdl = readFileSync(join(root, 'schema/supergraph.graphql'), 'utf8');
  const schema = buildSchema(publicSdlOf(sdl), { assumeValid: true });
  const roots = Object.values(schema.getQueryType()?.getFields() ?? {});
  return {
    sdl,
    document: (index) => {
      const fields = [0, 1, 2]
        .map((at) => roots[(index * 3 + at) % roots.length])
        .filter((one) => one !== undefined);
      return `query Cold${index} { ${fields.map((field, at) => fieldText(field, 3, `c${index}_${at}`)).join(' ')} }`;
    },
  };
}

/** A field with all that can be selected below it, some levels deep. */
function fieldText(field: GraphQLField<unknown, unknown>, depth: number, alias?: string): string {
  const args = field.args
    .filter(isRequiredArgument)
    .map((one: GraphQLArgument) => `${one.name}: ${literal(one.type)}`);
  const head = `${alias ? `${alias}: ` : ''}${field.name}${args.length > 0 ? `(${args.join(', ')})` : ''}`;
  const type = getNamedType(field.type);
  if (!isCompositeType(type)) return head;
  if (!isObjectType(type) || depth === 0) return `${head} { __typename }`;
  const below = Object.values(type.getFields()).filter(
    (one) => !one.args.some(isRequiredArgument) && (depth > 1 || !isCompositeType(getNamedType(one.type))),
  );
  return `${head} { __typename ${below
    .slice(0, 12)
    .map((one) => fieldText(one, depth - 1))
    .join(' ')} }`;
}

function literal(type: GraphQLInputType): string {
  if (isNonNullType(type)) return literal(type.ofType);
  if (isListType(type)) return `[${literal(type.ofType)}]`;
  if (isEnumType(type)) return type.getValues()[0]?.name ?? 'null';
  if (isInputObjectType(type)) {
    const fields = Object.values(type.getFields()).filter(isRequiredInputField);
    return `{ ${fields.map((field) => `${field.name}: ${literal(field.type)}`).join(', ')} }`;
  }
  if (type.name === 'Int' || type.name === 'Float') return '1';
  if (type.name === 'Boolean') return 'true';
  return type.name === 'DateTime' ? '"2026-01-01T00:00:00Z"' : '"x"';
}
