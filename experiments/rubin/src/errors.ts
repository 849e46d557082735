/** Rubin's own errors, in addition to the catalogue. */
import { defineErrors } from '@rhizome/errors';

export const errors = defineErrors('RUBIN', {
  WORKFLOW_NOT_FOUND: {
    http: 404,
    retry: 'never',
    message: '{field}: there is no workflow {value}',
    description: 'No such workflow.',
  },
});
