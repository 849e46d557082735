/** ePIC's own errors, beside the catalogue's. */
import { defineErrors } from '@rhizome/errors';

export const errors = defineErrors('EPIC', {
  RUN_NOT_FOUND: {
    http: 404,
    retry: 'never',
    message: '{field}: there is no run {value}',
    description: 'No run has this number.',
  },
});
