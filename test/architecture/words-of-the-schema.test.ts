import { expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jobStates } from '@rhizome/client/states';
import { buildSchema, GraphQLEnumType } from 'graphql';
import { root } from './repository.js';

it('has the job states of the schema, in the same order', () => {
  const schema = buildSchema(readFileSync(join(root, 'schema', 'public.graphql'), 'utf8'));
  const type = schema.getType('JobState');
  if (!(type instanceof GraphQLEnumType)) throw new Error('JobState is no enum');
  expect(jobStates).toEqual(type.getValues().map(({ name }) => name));
});
