/** Larkspur's own errors, beside the catalogue's. */
import { defineErrors } from '@rhizome/errors';

export const errors = defineErrors('LARKSPUR', {
  OBSERVATION_NOT_FOUND: {
    http: 404,
    retry: 'never',
    message: '{field}: there is no observation {value}',
    description: 'No such observation.',
  },
});
