/** ATLAS's own errors, beside the catalogue's. */
import { defineErrors } from '@rhizome/errors';

export const errors = defineErrors('ATLAS', {
  TASK_NOT_FOUND: {
    http: 404,
    retry: 'never',
    message: '{field}: there is no production task {value}',
    description: 'No such production task.',
  },
});
