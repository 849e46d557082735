import { withoutSuggestions } from './graphql.js';
import { describe, expect, it } from '@jest/globals';
import {
  buildSchema,
  graphql,
  GraphQLError,
  GraphQLInputObjectType,
  GraphQLObjectType,
  GraphQLScalarType,
  GraphQLSchema,
  GraphQLString,
  parse,
} from 'graphql';
import { badInput, DomainError } from './domain-error.js';
import { formatGraphQLError, isInternalError, toGraphQLError } from './graphql.js';

const schema = buildSchema('type Query { job(id: ID!, first: Int): String  kind: Kind } enum Kind { A }');

async function firstError(
  source: string,
  rootValue: object,
  variableValues?: Record<string, unknown>,
): Promise<GraphQLError> {
  const { errors } = await graphql({ schema, source, rootValue, variableValues });
  const error = errors?.[0];
  if (!error) throw new Error('the operation was expected to fail');
  return error;
}

describe('toGraphQLError', () => {
  it('gives code, retry, details and request id of a DomainError from a resolver, with path and location', async () => {
    const job = (): never => {
      throw new DomainError('JOB_NOT_FOUND', 'id: job "j1" does not exist', { field: 'id', value: 'j1' });
    };
    const shaped = toGraphQLError(await firstError('{ job(id: "j1") }', { job }), {
      requestId: 'r1',
    }).toJSON();
    expect(shaped).toEqual({
      message: 'id: job "j1" does not exist',
      path: ['job'],
      locations: [{ line: 1, column: 3 }],
      extensions: { code: 'JOB_NOT_FOUND', retry: 'never', field: 'id', value: 'j1', requestId: 'r1' },
    });
  });

  it.each([
    [
      'a plain error',
      (): never => {
        throw new Error('mongodb://core:hunter2@db refused');
      },
    ],
    [
      'a GraphQLError without a code',
      (): never => {
        throw new GraphQLError('hunter2');
      },
    ],
    [
      'a GraphQLError with an unknown code',
      (): never => {
        throw new GraphQLError('hunter2', { extensions: { code: 'HUH', secret: 'hunter2' } });
      },
    ],
    [
      'a thrown text',
      (): never => {
        throw 'hunter2';
      },
    ],
  ])('masks %s and names the request', async (_what, job) => {
    const shaped = toGraphQLError(await firstError('{ job(id: "1") }', { job }), { requestId: 'r2' });
    expect(JSON.stringify(shaped)).not.toContain('hunter2');
    expect(shaped.message).toContain('r2');
    expect(shaped.extensions).toEqual({ code: 'INTERNAL_SERVER_ERROR', retry: 'later', requestId: 'r2' });
  });

  it('masks an invalid enum value as an internal error', async () => {
    const shaped = toGraphQLError(await firstError('{ kind }', { kind: 'hunter2' }));
    expect(shaped.message).toBe('Internal error');
  });

  it('reports errors in the document and its variables to the client', async () => {
    const variables = await firstError('query ($n: Int) { job(id: "1", first: $n) }', {}, { n: 'many' });
    expect(toGraphQLError(variables).extensions['code']).toBe('BAD_USER_INPUT');
    expect(toGraphQLError(variables).message).toContain('many');
    const validation = await firstError('{ nothing }', {});
    expect(
      toGraphQLError(validation, { requestErrorCode: 'GRAPHQL_VALIDATION_FAILED' }).extensions['code'],
    ).toBe('GRAPHQL_VALIDATION_FAILED');
    const syntax = (() => {
      try {
        parse('{');
      } catch (error) {
        return error;
      }
      return undefined;
    })();
    expect(toGraphQLError(syntax).extensions['code']).toBe('GRAPHQL_PARSE_FAILED');
  });

  it('names the path of a variable that a scalar rejects, and keeps the message and code of the scalar', async () => {
    const day = new GraphQLScalarType({
      name: 'Day',
      parseValue: (value) => {
        throw badInput('Day', value, 'a day of the week');
      },
    });
    const input = new GraphQLInputObjectType({ name: 'Plan', fields: { day: { type: day } } });
    const planned = new GraphQLSchema({
      query: new GraphQLObjectType({
        name: 'Query',
        fields: { plan: { type: GraphQLString, args: { input: { type: input } } } },
      }),
    });
    const { errors } = await graphql({
      schema: planned,
      source: 'query ($input: Plan) { plan(input: $input) }',
      variableValues: { input: { day: 'Someday' } },
    });
    const shaped = toGraphQLError(errors?.[0]);
    expect(shaped.extensions['code']).toBe('BAD_USER_INPUT');
    expect(shaped.message).toContain('"input.day"');
    expect(shaped.message).toContain('"Someday" is not valid; must be a day of the week');
  });

  it('keeps the text of a GraphQLError whose code is in the catalogue', () => {
    const shaped = toGraphQLError(new GraphQLError('too deep', { extensions: { code: 'LIMIT_EXCEEDED' } }));
    expect([shaped.message, shaped.extensions['retry']]).toEqual(['too deep', 'later']);
  });

  it('protects code, retry and request id from details, which are bounded JSON', () => {
    const cyclic: Record<string, unknown> = { big: 10n, text: 'x'.repeat(9999) };
    cyclic['self'] = cyclic;
    const error = new DomainError('CONFLICT', 'text', {
      code: 'X',
      retry: 'X',
      requestId: 'X',
      value: cyclic,
    });
    const { extensions } = toGraphQLError(error, { requestId: 'r3' });
    expect(extensions).toMatchObject({ code: 'CONFLICT', retry: 'now', requestId: 'r3' });
    expect(JSON.stringify(extensions).length).toBeLessThan(2000);
  });

  it('returns the same error when applied twice', () => {
    const once = toGraphQLError(new DomainError('CONFLICT', 'text', { field: 'a' }), { requestId: 'r' });
    expect(toGraphQLError(once, { requestId: 'r' }).toJSON()).toEqual(once.toJSON());
    const masked = toGraphQLError(new Error('x'), { requestId: 'r' });
    expect(toGraphQLError(masked, { requestId: 'r' }).toJSON()).toEqual(masked.toJSON());
  });

  it('is internal, by isInternalError, for bugs only', () => {
    expect(isInternalError(new TypeError('x'))).toBe(true);
    expect(isInternalError(new DomainError('FORBIDDEN', 'x'))).toBe(false);
  });
});

describe('withoutSuggestions', () => {
  it.each([
    [
      'Cannot query field "job" on type "Query". Did you mean "job", "jobs", or "queue"?',
      'Cannot query field "job" on type "Query".',
    ],
    [
      'Cannot query field "x" on type "Node". Did you mean to use an inline fragment on "Job"?',
      'Cannot query field "x" on type "Node".',
    ],
    [
      'Value "STATE" does not exist in "State" enum. Did you mean the enum value "ONLINE"?',
      'Value "STATE" does not exist in "State" enum.',
    ],
    ['Unknown argument "after" on field "Query.jobs".', 'Unknown argument "after" on field "Query.jobs".'],
  ])('shortens %j', (message, shown) => {
    expect(withoutSuggestions(message)).toBe(shown);
  });
});

describe('formatGraphQLError', () => {
  it.each([
    ['a DomainError', badInput('first', 0, 'at least 1')],
    ['another error', new Error('a secret')],
    [
      'a GraphQLError with a location',
      new GraphQLError('Unknown field', { nodes: parse('{ a }').definitions[0] }),
    ],
    ['a GraphQLError around a DomainError', new GraphQLError('x', { originalError: badInput('a', 1, '2') })],
    ['something that is no error', 'text'],
  ])('is the JSON form of toGraphQLError for %s', (_, error) => {
    const options = { requestId: 'r1' };
    expect(formatGraphQLError(error, options)).toEqual(toGraphQLError(error, options).toJSON());
  });
});
