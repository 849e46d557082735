/** ePIC's own errors, in addition to the catalogue. */
import { defineErrors } from '@rhizome/errors';

export const errors = defineErrors('EPIC', {
  RUN_NOT_FOUND: {
    http: 404,
    retry: 'never',
    message: 'Run {value} not found.',
    description: 'No run has this number.',
  },
});
