/** Rubin's own errors, in addition to the catalogue. */
import { defineErrors } from '@rhizome/errors';

export const errors = defineErrors('RUBIN', {
  WORKFLOW_NOT_FOUND: {
    http: 404,
    retry: 'never',
    message: 'Workflow "{value}" not found.',
    description: 'No such workflow.',
  },
});
