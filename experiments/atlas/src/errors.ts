/** ATLAS's own errors, in addition to the catalogue. */
import { defineErrors } from '@rhizome/errors';

export const errors = defineErrors('ATLAS', {
  TASK_NOT_FOUND: {
    http: 404,
    retry: 'never',
    message: 'Production task "{value}" not found.',
    description: 'No such production task.',
  },
});
