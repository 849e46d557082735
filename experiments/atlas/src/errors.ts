/** ATLAS's own errors, beside the catalogue's. */
import { defineErrors } from '@rhizome/errors';

export const errors = defineErrors('ATLAS', {
  INPUT_INVALID: {
    http: 422,
    retry: 'never',
    message: '{field}: {value} is not valid; expected {expected}',
    description:
      'A field of a production task has a value that is not allowed. Field, value and what would be right are named.',
  },
  CHAIN_INVALID: {
    http: 422,
    retry: 'never',
    message: '{field}: {value} cannot stand there; expected {expected}',
    description:
      'The steps of a chain are not in the order of the chain, or stand there twice, or a merge has nothing to merge.',
  },
  TASK_NOT_FOUND: {
    http: 404,
    retry: 'never',
    message: '{field}: there is no production task {value}',
    description: 'No such production task.',
  },
});
