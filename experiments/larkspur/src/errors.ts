/** Larkspur's own errors, in addition to the catalogue. */
import { defineErrors } from '@rhizome/errors';

export const errors = defineErrors('LARKSPUR', {
  OBSERVATION_NOT_FOUND: {
    http: 404,
    retry: 'never',
    message: 'Observation "{value}" not found.',
    description: 'No such observation.',
  },
});
