/** `search_schema`: the fields of the API that fit some words, instead of the whole schema. */
import { can } from '@rhizome/authz';
import {
  getNamedType,
  type GraphQLSchema,
  isEnumType,
  isInputObjectType,
  isLeafType,
  isObjectType,
} from 'graphql';
import { printable } from '../results/render.js';
import { errorResult, textResult } from '../results/tool-result.js';
import { type FoundField, SchemaIndex } from './schema-index.js';
import { givenInputs, readOnly, type Tool } from './tool.js';

const mostFields = 20;
/** Characters of a description that is shown. */
const longestDescription = 140;
/** Enums and inputs that are shown with the fields that take them, and what is shown of each. */
const mostTypes = 6;
const mostMembers = 30;

/**
 * The tool. The index is made at the first search. What an experiment has written about its fields is shown
 * to its members only, as its tools are.
 */
export function searchSchemaTool(schema: GraphQLSchema, experiments: ReadonlySet<string>): Tool {
  let index: SchemaIndex | undefined;
  const definition = {
    name: 'search_schema',
    title: 'Search the schema',
    description:
      'Finds fields of the GraphQL API by words. Gives their place, arguments and an example for run_query.',
    inputSchema: {
      type: 'object',
      properties: {
        words: { type: 'string', description: 'What you look for, such as "dataset files size".' },
        limit: { type: 'integer', minimum: 1, maximum: mostFields, default: 8 },
      },
      required: ['words'],
      additionalProperties: false,
    },
    annotations: readOnly,
  };
  return {
    definition,
    isFor: () => true,
    call: (given, { principal }) => {
      const inputs = givenInputs(given, definition);
      if (typeof inputs === 'string') return Promise.resolve(errorResult(inputs));
      const { words, limit = 8 } = inputs;
      if (typeof words !== 'string' || words.trim() === '' || words.length > 300)
        return Promise.resolve(errorResult('words: must be a text of 1 to 300 characters'));
      if (!Number.isInteger(limit) || (limit as number) < 1 || (limit as number) > mostFields)
        return Promise.resolve(errorResult(`limit: must be a whole number from 1 to ${mostFields}`));
      index ??= new SchemaIndex(schema);
      const isShown = ({ path }: FoundField): boolean =>
        !principal || path.every((name) => !experiments.has(name) || can(principal, 'experiment:read', name));
      const found = index.find(words, limit as number, isShown);
      return Promise.resolve(textResult(describe(found, schema)));
    },
  };
}

function describe(found: readonly FoundField[], schema: GraphQLSchema): string {
  const [first] = found;
  if (!first) return 'No field fits these words. Use other ones, such as job, task, queue, worker, dataset.';
  const lines = found.map(({ type, field, path }) => {
    const args = field.args.map((argument) => `${argument.name}: ${String(argument.type)}`).join(', ');
    const of = printable((field.description ?? '').trim().slice(0, longestDescription));
    return `${path.join('.')} (${type}.${field.name}${args === '' ? '' : `(${args})`}: ${String(field.type)}) ${of}`;
  });
  return [...lines, ...inputsOf(found), `Example: ${exampleOf(first, schema)}`].join('\n');
}

/** Inputs and enums that the arguments of the fields take. */
function inputsOf(found: readonly FoundField[]): readonly string[] {
  const types = new Set(found.flatMap(({ field }) => field.args.map(({ type }) => getNamedType(type))));
  const lines = [...types].flatMap((type) => {
    if (isEnumType(type))
      return [
        `enum ${type.name}: ${type
          .getValues()
          .slice(0, mostMembers)
          .map(({ name }) => name)
          .join(' ')}${restOf(type.getValues())}`,
      ];
    if (!isInputObjectType(type)) return [];
    const all = Object.values(type.getFields());
    const fields = all.slice(0, mostMembers).map((field) => `${field.name}: ${String(field.type)}`);
    return [`input ${type.name}: ${fields.join(', ')}${restOf(all)}`];
  });
  return lines.slice(0, mostTypes);
}

function restOf(all: readonly unknown[]): string {
  return all.length > mostMembers ? ` and ${all.length - mostMembers} more` : '';
}

/** A query of the field with its required arguments as variables, and with a few leaves. */
function exampleOf({ path }: FoundField, schema: GraphQLSchema): string {
  const variables: string[] = [];
  let type = schema.getQueryType() ?? undefined;
  let open = '';
  for (const name of path) {
    const field = type?.getFields()[name];
    if (!field) return '';
    const required = field.args.filter(
      (one) => String(one.type).endsWith('!') && one.defaultValue === undefined,
    );
    const args = required.map((one) => {
      const variable = variables.some((known) => known.startsWith(`$${one.name}:`))
        ? `${one.name}${variables.length}`
        : one.name;
      variables.push(`$${variable}: ${String(one.type)}`);
      return `${one.name}: $${variable}`;
    });
    const next = getNamedType(field.type);
    open += `${name}${args.length > 0 ? `(${args.join(', ')})` : ''}`;
    if (isLeafType(next)) type = undefined;
    else {
      type = isObjectType(next) ? next : undefined;
      open += ' { ';
    }
  }
  const depth = path.length - (type === undefined && open.endsWith(' { ') === false ? 1 : 0);
  const inner = type ? leavesOf(type) : open.endsWith(' { ') ? '__typename' : '';
  const head = variables.length > 0 ? `query (${variables.join(', ')}) ` : '';
  return `${head}{ ${open}${inner}${' }'.repeat(depth)} }`;
}

function leavesOf(type: NonNullable<ReturnType<GraphQLSchema['getQueryType']>>): string {
  const fields = Object.values(type.getFields());
  if (fields.some(({ name }) => name === 'nodes')) {
    const nodes = getNamedType(type.getFields()['nodes']?.type);
    const inner = isObjectType(nodes) ? leavesOf(nodes) : '__typename';
    return `totalCount nodes { ${inner} } pageInfo { hasNextPage endCursor }`.replace(
      'totalCount ',
      type.getFields()['totalCount'] ? 'totalCount ' : '',
    );
  }
  const leaves = fields.filter((field) => isLeafType(getNamedType(field.type)) && field.args.length === 0);
  return (
    leaves
      .slice(0, 5)
      .map(({ name }) => name)
      .join(' ') || '__typename'
  );
}
