/** ePIC's own errors, beside the catalogue's. */
import { defineErrors } from '@rhizome/errors';

export const errors = defineErrors('EPIC', {
  INPUT_INVALID: {
    http: 422,
    retry: 'never',
    message: '{field}: {value} is not valid; expected {expected}',
    description:
      'A field of a run has a value that is not allowed. Field, value and what would be right are named.',
  },
  RUN_NUMBER_TAKEN: {
    http: 409,
    retry: 'never',
    message: '{field}: run {value} was submitted before',
    description: 'There is a run of this number already.',
  },
  RUN_NOT_FOUND: {
    http: 404,
    retry: 'never',
    message: '{field}: there is no run {value}',
    description: 'No run has this number.',
  },
});
