/** Larkspur's own errors, beside the catalogue's. */
import { defineErrors } from '@rhizome/errors';

export const errors = defineErrors('LARKSPUR', {
  INPUT_INVALID: {
    http: 422,
    retry: 'never',
    message: '{field}: {value} is not valid; expected {expected}',
    description:
      'A field of an observation has a value that is not allowed. Field, value and what would be right are named.',
  },
  OBSERVATION_NOT_FOUND: {
    http: 404,
    retry: 'never',
    message: '{field}: there is no observation {value}',
    description: 'No such observation.',
  },
});
